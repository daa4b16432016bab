use std::fs;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;

fn message(result: Result<Ledger, LedgerError>) -> String {
    result.expect_err("must be refused").to_string()
}

/// Changes a closed ledger with plain SQLite.
fn tamper(path: &Path, statement: &str) {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(statement).unwrap();
    connection.close().unwrap();
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_closed_ledger_opens_again_with_everything_in_it() {
    let (_dir, path) = place();
    let (record, documents) = full_record();
    let ledger = open(&path).unwrap();
    ledger.save(save(&record, &documents)).await.unwrap();
    ledger.close().await.unwrap();
    assert!(matches!(
        ledger.load(&node(), &record.stream).await,
        Err(LedgerError::Closed(_))
    ));

    let ledger = open(&path).unwrap();
    assert_eq!(
        ledger.load(&node(), &record.stream).await.unwrap(),
        Some(record)
    );
}

#[tokio::test]
async fn dropping_the_last_handle_closes() {
    let (_dir, path) = place();
    let ledger = open(&path).unwrap();
    let clone = ledger.clone();
    drop(ledger);
    clone.save(Save::new(record(app()))).await.unwrap();
    drop(clone);
    assert!(
        open(&path)
            .unwrap()
            .load(&node(), &app())
            .await
            .unwrap()
            .is_some()
    );
}

#[test]
fn a_second_agent_is_refused_by_name_also_through_a_link() {
    let (dir, path) = place();
    let first = open(&path).unwrap();
    let link = dir.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for path in [&path, &link] {
        let text = message(open(path));
        assert!(
            text.contains(&format!("process {}", std::process::id())),
            "{text}"
        );
        assert!(
            text.contains("ledger.db") && text.contains("`ledger.path` of its own"),
            "{text}"
        );
    }
    drop(first);
    open(&path).unwrap();
}

#[test]
fn the_directory_must_exist_and_a_directory_is_no_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let text = message(open(&dir.path().join("missing/ledger.db")));
    assert!(text.contains("missing is missing: create it"), "{text}");
    assert!(!dir.path().join("missing").exists());

    let text = message(open(dir.path()));
    assert!(text.contains("is not a file"), "{text}");

    let link = dir.path().join("dangling.db");
    std::os::unix::fs::symlink(dir.path().join("nowhere"), &link).unwrap();
    assert!(matches!(open(&link), Err(LedgerError::NotAFile(_))));
}

#[test]
fn a_newer_version_is_refused_and_left_alone() {
    let (_dir, path) = place();
    drop(open(&path).unwrap());
    tamper(&path, "PRAGMA user_version = 99");
    let before = fs::read(&path).unwrap();
    let text = message(open(&path));
    assert!(
        text.contains("has version 99 and this program knows 1"),
        "{text}"
    );
    assert!(matches!(
        LedgerReader::open(&path),
        Err(LedgerError::Newer { .. })
    ));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn another_database_and_another_file_are_refused() {
    let (_dir, path) = place();
    tamper(&path, "CREATE TABLE x (y); PRAGMA application_id = 7");
    let text = message(open(&path));
    assert!(
        text.contains("is an SQLite database but no ledger"),
        "{text}"
    );

    for content in [
        "",
        "not a database, but long enough to look like the header of one, more or less; and then some",
    ] {
        fs::write(&path, content).unwrap();
        let text = message(open(&path));
        assert!(
            text.contains("is damaged") && text.contains("tidegate ledger recover"),
            "{text}"
        );
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            content,
            "never recreated"
        );
    }
}

#[test]
fn what_is_marked_read_only_is_refused() {
    let (dir, path) = place();
    drop(open(&path).unwrap());
    chmod(&path, 0o444);
    assert!(message(open(&path)).contains("can't be written"));
    chmod(&path, 0o644);
    chmod(dir.path(), 0o555);
    let refused = open(&path);
    let reader = LedgerReader::open(&path);
    chmod(dir.path(), 0o755);
    assert!(matches!(refused, Err(LedgerError::ReadOnly { .. })));
    reader.unwrap();
}

#[test]
fn another_stores_ledger_is_refused() {
    let (_dir, path) = place();
    drop(open(&path).unwrap());
    let text = message(Ledger::open(
        &path,
        LedgerOptions::new("gs://other"),
        at(2_000),
    ));
    assert!(
        text.contains("is about the store s3://logs, not about gs://other"),
        "{text}"
    );
}

#[test]
fn a_moved_ledgers_wal_is_not_destroyed_by_a_new_one() {
    let (_dir, path) = place();
    fs::write(lock::beside(&path, "-wal"), "frames").unwrap();
    assert!(matches!(open(&path), Err(LedgerError::Damaged { .. })));
    assert!(!path.exists());
}

#[test]
fn a_draft_of_a_crashed_start_does_not_stand_in_the_way() {
    let (_dir, path) = place();
    fs::write(lock::beside(&path, ".new"), "half a database").unwrap();
    open(&path).unwrap();
    assert!(!lock::beside(&path, ".new").exists());
}

#[tokio::test]
async fn a_migration_leaves_a_copy_of_what_it_found() {
    const STEPS: &[&str] = &[
        migrate::STEPS[0],
        "ALTER TABLE streams ADD COLUMN note TEXT",
    ];
    let (_dir, path) = place();
    let ledger = open(&path).unwrap();
    ledger.save(Save::new(record(app()))).await.unwrap();
    ledger.close().await.unwrap();

    let mut connection = Connection::open(&path).unwrap();
    migrate::migrate(&mut connection, &path, STEPS, 1).unwrap();
    let version: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 2);
    connection
        .execute("UPDATE streams SET note = 'x'", [])
        .unwrap();
    drop(connection);

    let copy = lock::beside(&path, ".v1.bak");
    let reader = LedgerReader::open(&copy).unwrap();
    assert!(reader.stream(&node(), &app()).unwrap().is_some());
}

#[test]
fn a_failed_migration_changes_nothing() {
    const STEPS: &[&str] = &[
        migrate::STEPS[0],
        "CREATE TABLE added (x)",
        "CREATE TABLE more (x); ALTER TABLE nowhere ADD COLUMN y",
    ];
    let (_dir, path) = place();
    drop(open(&path).unwrap());
    let mut connection = Connection::open(&path).unwrap();
    migrate::migrate(&mut connection, &path, STEPS, 1).unwrap_err();
    drop(connection);
    tamper(
        &path,
        "CREATE TABLE added (x); DROP TABLE added; CREATE TABLE more (x); DROP TABLE more",
    );
    open(&path).unwrap();
}

#[test]
fn every_acknowledged_entry_is_synced_unless_only_a_kill_is_to_be_survived() {
    for (durability, full) in [(Durability::PowerLoss, true), (Durability::Kill, false)] {
        let (_dir, path) = place();
        let mut options = LedgerOptions::new(STORE);
        options.durability = durability;
        let (.., connection) = open::open_writer(&path, &options, at(1_000)).unwrap();
        let level: i64 = connection
            .pragma_query_value(None, "synchronous", |row| row.get(0))
            .unwrap();
        // 2 is SQLite's `full`.
        assert_eq!(level == 2, full, "{durability:?} is {level}");
        assert!(level > 0);
    }
}

#[test]
fn memory_is_no_place_for_a_ledger() {
    let Ok(dir) = tempfile::tempdir_in("/dev/shm") else {
        return;
    };
    let ledger = open(&dir.path().join("ledger.db")).unwrap();
    assert!(
        ledger.warnings().iter().any(|text| text.contains("tmpfs")),
        "{:?}",
        ledger.warnings()
    );
}

/// The bytes of a ledger with some rows in it.
fn sample() -> &'static [u8] {
    static SAMPLE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    SAMPLE.get_or_init(|| {
        let (_dir, path) = place();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let ledger = open(&path).unwrap();
            for number in 0..40 {
                let text = "x".repeat(number * 100);
                let mut record = record(StreamId::new(format!("s{number}")));
                let document = Document::new(text);
                record.confirmed = Some(document.digest());
                let save = Save::new(record)
                    .document(document)
                    .attempt(attempt(1, "tried"));
                ledger.save(save).await.unwrap();
            }
            ledger.close().await.unwrap();
        });
        fs::read(&path).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is flipped: it opens, or it is refused unchanged.
    #[test]
    fn a_damaged_ledger_is_never_recreated(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..4),
        header in any::<bool>(),
    ) {
        let (_dir, path) = place();
        let mut bytes = sample().to_vec();
        let range = if header { 100 } else { bytes.len() };
        for (index, flip) in flips {
            bytes[index.index(range)] ^= flip;
        }
        fs::write(&path, &bytes).unwrap();
        match open(&path) {
            Ok(ledger) => drop(ledger),
            Err(error) => {
                prop_assert_eq!(fs::read(&path).unwrap(), bytes, "{}", error);
                prop_assert!(!matches!(error, LedgerError::Missing(_)));
            }
        }
    }
}

#[test]
fn a_page_of_noise_is_found_at_start() {
    let (_dir, path) = place();
    let mut bytes = sample().to_vec();
    let pages = bytes.len() / 4096;
    for byte in &mut bytes[(pages - 3) * 4096..(pages - 2) * 4096] {
        *byte = 0x5a;
    }
    fs::write(&path, &bytes).unwrap();
    let text = message(open(&path));
    assert!(
        text.contains("is damaged") && text.contains("tidegate ledger recover"),
        "{text}"
    );
}
