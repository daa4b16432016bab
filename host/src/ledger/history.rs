use rusqlite::Connection;

use super::record::{AttemptRecord, DETAIL_MAX, RecordedAttempt, SUMMARY_MAX};
use super::sql;
use crate::stream::{NodeId, StreamId};

/// How many of the oldest attempts go at once when the history is over its bound.
const OLDEST_DROPPED: u32 = 64;

/// Records an attempt of the stream's row `id`, and drops what is over the bounds: the stream's own oldest ones, then
/// the oldest of all streams.
pub(super) fn append(
    connection: &Connection,
    id: i64,
    attempt: &AttemptRecord,
    kept: u32,
    history_max: u64,
) -> rusqlite::Result<()> {
    let summary = cut(&attempt.summary, SUMMARY_MAX);
    let omitted;
    let detail = if attempt.detail.len() <= DETAIL_MAX {
        &attempt.detail
    } else {
        omitted = format!("{{\"omitted_bytes\":{}}}", attempt.detail.len());
        &omitted
    };
    let seq: i64 = connection
        .prepare_cached(
            "UPDATE streams SET recorded = recorded + 1 WHERE id = ?1 RETURNING recorded",
        )?
        .query_row([id], |row| row.get(0))?;
    let size = sql::integer((summary.len() + detail.len()) as u64);
    connection
        .prepare_cached("INSERT INTO attempts (stream, seq, at, summary, detail, size) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute((id, seq, sql::time(attempt.at), summary, detail, size))?;
    connection
        .prepare_cached("DELETE FROM attempts WHERE stream = ?1 AND seq <= ?2")?
        .execute((id, seq - i64::from(kept)))?;
    while total(connection)? > sql::integer(history_max) {
        let dropped = connection
            .prepare_cached(
                "DELETE FROM attempts WHERE id IN (SELECT id FROM attempts ORDER BY id LIMIT ?1)",
            )?
            .execute([OLDEST_DROPPED])?;
        if dropped == 0 {
            break;
        }
    }
    Ok(())
}

fn total(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT value FROM totals WHERE name = 'history-bytes'")?
        .query_row([], |row| row.get(0))
}

/// At most `max` bytes of the text, with an ellipsis where something is missing.
fn cut(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(max - '…'.len_utf8());
    format!("{}…", text.get(..end).unwrap_or_default())
}

/// The latest attempts of a stream, newest first.
pub(super) fn of_stream(
    connection: &Connection,
    node: &NodeId,
    stream: &StreamId,
    limit: u32,
) -> rusqlite::Result<Vec<RecordedAttempt>> {
    connection
        .prepare_cached(
            "SELECT seq, at, summary, detail FROM attempts WHERE stream = \
             (SELECT id FROM streams WHERE node = ?1 AND tenant = ?2 AND name = ?3) ORDER BY seq DESC LIMIT ?4",
        )?
        .query_map((node.as_str(), sql::tenant(stream), &*stream.name, limit), |row| {
            Ok(RecordedAttempt {
                seq: sql::read_unsigned(row, 0)?,
                attempt: AttemptRecord {
                    at: sql::read_time(row, 1)?,
                    summary: row.get(2)?,
                    detail: row.get(3)?,
                },
            })
        })?
        .collect()
}
