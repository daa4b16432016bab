//! How the crate's values stand in SQLite's columns.

use std::str::FromStr;
use std::sync::Arc;

use rusqlite::types::Type;
use rusqlite::{Row, RowIndex};

use crate::digest::Digest;
use crate::stream::StreamId;
use crate::time::Timestamp;

/// SQLite's integers are signed; nothing real lies above their range.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn time(at: Timestamp) -> i64 {
    integer(at.as_millis())
}

pub(super) fn optional_time(at: Option<Timestamp>) -> Option<i64> {
    at.map(time)
}

pub(super) fn optional_digest(digest: Option<Digest>) -> Option<String> {
    digest.map(String::from)
}

/// The `tenant` column: '' for none, which is never a tenant's name.
pub(super) fn tenant(stream: &StreamId) -> &str {
    stream.tenant.as_deref().unwrap_or("")
}

pub(super) fn stream(tenant: Arc<str>, name: Arc<str>) -> StreamId {
    StreamId {
        tenant: (!tenant.is_empty()).then_some(tenant),
        name,
    }
}

pub(super) fn read_unsigned(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<u64> {
    row.get(column)
        .map(|value: i64| u64::try_from(value).unwrap_or(0))
}

pub(super) fn read_count(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<u32> {
    read_unsigned(row, column).map(|value| u32::try_from(value).unwrap_or(u32::MAX))
}

pub(super) fn read_time(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<Timestamp> {
    read_unsigned(row, column).map(Timestamp::from_millis)
}

pub(super) fn read_optional_time(
    row: &Row<'_>,
    column: impl RowIndex,
) -> rusqlite::Result<Option<Timestamp>> {
    let value: Option<i64> = row.get(column)?;
    Ok(value.map(|value| Timestamp::from_millis(u64::try_from(value).unwrap_or(0))))
}

pub(super) fn read_parsed<T>(row: &Row<'_>, column: impl RowIndex + Copy) -> rusqlite::Result<T>
where
    T: FromStr<Err = String>,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|reason: String| unreadable(reason))
}

pub(super) fn read_optional_digest(
    row: &Row<'_>,
    column: impl RowIndex,
) -> rusqlite::Result<Option<Digest>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| text.parse().map_err(|reason: String| unreadable(reason)))
        .transpose()
}

/// A column that holds what this program never writes there.
pub(super) fn unreadable(reason: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, reason.into())
}
