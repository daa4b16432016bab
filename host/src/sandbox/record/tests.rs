//! What is written comes back, within its bounds, whatever happens to the writer; and nothing else is taken for it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

use super::directory::Directory;
use super::queue::Queue;
use super::read::{Ending, Recorded, Source, read, sources};
use super::*;
use crate::contract::RetryDecision;
use crate::digest::Digest;
use crate::policy::tests::{facts, values};
use crate::policy::{
    Answer, Ask, AskedFor, ComponentSource, Content, Decision, Policy, PolicySettings,
    Recorder as _, Runtime, RuntimeSettings, StagingFailure, StateScope, StateSwap, Usage, Verdict,
    WorldCall,
};
use crate::time::SystemClock;

async fn policy() -> Policy {
    let runtime = Runtime::new(RuntimeSettings {
        slots: 1,
        idle: 0,
        yield_every: None,
        ..RuntimeSettings::default()
    });
    let never = ComponentSource::Builtin("never".to_owned());
    let settings = PolicySettings::new("p", never);
    runtime.unwrap().load(&settings).await.unwrap()
}

/// A decision that read this from staging.
fn decision(policy: &Policy, content: Vec<u8>) -> Box<Decision> {
    let call = |ask, answer| WorldCall { ask, answer };
    let read = Ask::ReadStaged {
        name: "file".to_owned(),
        offset: 0,
        length: 1 << 20,
    };
    Box::new(Decision {
        policy: policy.clone(),
        question: AskedFor::Retry {
            failure: crate::contract::Failure::Other("why".to_owned()),
        },
        facts: facts(),
        values: values(),
        calls: vec![
            call(read, Some(Answer::Bytes(Content(content.into())))),
            call(
                Ask::StagedFiles,
                Some(Answer::StagingFailed(StagingFailure::TooLarge(3))),
            ),
            call(
                Ask::CountState {
                    scope: StateScope::Node,
                },
                None,
            ),
        ],
        complete: true,
        verdict: Ok(Verdict::Retry(RetryDecision::OnChange)),
        usage: Usage {
            fuel: 77,
            ..Usage::default()
        },
        state: vec![StateSwap {
            scope: StateScope::Stream,
            key: "k".to_owned(),
            before: None,
            after: Some(vec![0xff]),
        }],
        logs: Vec::new(),
    })
}

/// Bytes that can't be compressed.
fn noise(length: usize) -> Vec<u8> {
    let mut word = 7u64;
    let mut next = || {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (word >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "recording.lock")
        .collect();
    names.sort();
    names
}

/// All decisions of a recording, and the trailers of its files.
fn all(path: &Path) -> Result<(Vec<Recorded>, Vec<Option<Trailer>>), BadRecording> {
    let (mut decisions, mut trailers) = (Vec::new(), Vec::new());
    for source in sources(path)? {
        trailers.push(read(&source, &Arc::default(), |recorded| {
            decisions.push(recorded);
            true
        })?);
    }
    Ok((decisions, trailers))
}

fn text(path: &Path) -> String {
    let mut text = String::new();
    let file = fs::read(path).unwrap();
    GzDecoder::new(&*file).read_to_string(&mut text).unwrap();
    text
}

fn compressed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

const FIRST: &str = "decisions-000001.jsonl.gz";

/// A sealed recording of two decisions.
async fn sealed() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let policy = policy().await;
    let clock = Arc::new(SystemClock::new());
    let recording = Recording::start(dir.path(), Bounds::default(), clock).unwrap();
    recording.record(decision(&policy, b"{}".to_vec()));
    recording.record(decision(&policy, noise(100)));
    recording.finish();
    let file = dir.path().join(FIRST);
    (dir, file)
}

#[tokio::test]
async fn decisions_come_back_as_they_were_recorded() {
    let (dir, _) = sealed().await;
    assert_eq!(names(dir.path()), [FIRST]);
    let (decisions, trailers) = all(dir.path()).unwrap();
    let policy = policy().await;
    let line = |number, content| DecisionLine::new(number, 0, *decision(&policy, content));
    let expected = [line(1, b"{}".to_vec()), line(2, noise(100))];
    let found: Vec<_> = decisions
        .iter()
        .map(|found| (*found.decision).clone())
        .collect();
    assert_eq!(found, expected);
    assert_eq!((decisions[0].line, decisions[1].line), (3, 4));
    assert_eq!(*decisions[0].policy, PolicyLine::new(0, &policy));
    assert_eq!(*decisions[0].header, Header::new(policy.engine_hash()));
    let trailer = trailers[0].as_ref().unwrap();
    assert_eq!(
        (trailer.lines, trailer.decisions, trailer.dropped),
        (4, 2, 0)
    );
    assert!(!trailer.recovered);
}

#[tokio::test]
async fn the_same_decisions_make_the_same_text() {
    let ((_one, first), (_other, second)) = (sealed().await, sealed().await);
    assert_eq!(text(&first), text(&second));
}

#[tokio::test]
async fn files_are_sealed_at_their_size_and_the_oldest_removed_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let policy = policy().await;
    let bounds = Bounds {
        file_size: MIN_FILE_SIZE,
        max_size: 4 * MIN_FILE_SIZE,
    };
    let mut directory = Directory::open(dir.path(), bounds).unwrap();
    let content = noise(MIN_FILE_SIZE as usize / 3);
    for number in 1..=30 {
        directory
            .add(number, *decision(&policy, content.clone()))
            .unwrap();
        directory.flush().unwrap();
        let sizes = names(dir.path()).into_iter().map(|name| {
            let size = fs::metadata(dir.path().join(name)).unwrap().len();
            assert!(size < MIN_FILE_SIZE * 2, "{size}");
            size
        });
        assert!(sizes.sum::<u64>() <= bounds.max_size);
    }
    directory.seal().unwrap();
    let (decisions, trailers) = all(dir.path()).unwrap();
    let numbers: Vec<_> = decisions
        .iter()
        .map(|found| found.decision.sequence)
        .collect();
    let first = numbers[0];
    assert!(first > 1, "the oldest are gone");
    assert_eq!(numbers, (first..=30).collect::<Vec<_>>());
    assert!(trailers.len() > 1);
    drop(directory);
    // Smaller bounds hold for what is there already.
    let bounds = Bounds {
        max_size: 2 * MIN_FILE_SIZE,
        ..bounds
    };
    Directory::open(dir.path(), bounds).unwrap();
    assert!(names(dir.path()).len() <= 1);
}

#[tokio::test]
async fn what_a_killed_agent_left_is_sealed_with_what_is_complete() {
    let dir = tempfile::tempdir().unwrap();
    let policy = policy().await;
    let mut directory = Directory::open(dir.path(), Bounds::default()).unwrap();
    for number in 1..=2 {
        directory
            .add(number, *decision(&policy, noise(500)))
            .unwrap();
        directory.flush().unwrap();
    }
    drop(directory);
    let part = format!("{FIRST}.part");
    assert_eq!(names(dir.path()), [part.as_str()]);
    let path = dir.path().join(&part);
    let (decisions, trailers) = all(dir.path()).unwrap();
    assert_eq!((decisions.len(), &trailers[..]), (2, &[None][..]));
    // Not even its last write is whole.
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    assert_eq!(all(dir.path()).unwrap().0.len(), 1);

    let mut directory = Directory::open(dir.path(), Bounds::default()).unwrap();
    assert_eq!(names(dir.path()), [FIRST]);
    directory.add(1, *decision(&policy, Vec::new())).unwrap();
    directory.seal().unwrap();
    assert_eq!(names(dir.path()), [FIRST, "decisions-000002.jsonl.gz"]);
    let (decisions, trailers) = all(dir.path()).unwrap();
    assert_eq!(decisions.len(), 2);
    let recovered = trailers.iter().flatten().map(|trailer| trailer.recovered);
    assert_eq!(recovered.collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn a_leftover_that_was_sealed_already_is_removed_and_an_empty_one_too() {
    let (dir, file) = sealed().await;
    let before = fs::read(&file).unwrap();
    fs::write(dir.path().join(format!("{FIRST}.part")), "rest").unwrap();
    fs::write(dir.path().join("decisions-000002.jsonl.gz.part"), "").unwrap();
    assert_eq!(all(dir.path()).unwrap().0.len(), 2);
    Directory::open(dir.path(), Bounds::default()).unwrap();
    assert_eq!(names(dir.path()), [FIRST]);
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn a_leftover_that_is_no_recording_stays_and_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let foreign = "decisions-000007.jsonl.gz.part";
    fs::write(dir.path().join(foreign), "mine").unwrap();
    let mut directory = Directory::open(dir.path(), Bounds::default()).unwrap();
    directory
        .add(1, *decision(&policy().await, Vec::new()))
        .unwrap();
    directory.seal().unwrap();
    assert_eq!(names(dir.path()), [foreign, "decisions-000008.jsonl.gz"]);
    assert_eq!(fs::read(dir.path().join(foreign)).unwrap(), b"mine");
}

#[test]
fn a_directory_has_one_writer() {
    let dir = tempfile::tempdir().unwrap();
    let one = Directory::open(dir.path(), Bounds::default()).unwrap();
    let other = Directory::open(dir.path(), Bounds::default())
        .err()
        .unwrap();
    assert!(matches!(other, RecordError::InUse(_)), "{other}");
    drop(one);
    Directory::open(dir.path(), Bounds::default()).unwrap();
}

#[test]
fn bounds_that_make_no_recording_are_refused() {
    let refused = |file_size, max_size| {
        let bounds = Bounds {
            file_size,
            max_size,
        };
        bounds.check().is_err()
    };
    assert!(!refused(MIN_FILE_SIZE, 2 * MIN_FILE_SIZE));
    assert!(refused(MIN_FILE_SIZE - 1, 1 << 30));
    assert!(refused(MIN_FILE_SIZE, 2 * MIN_FILE_SIZE - 1));
}

#[test]
fn only_its_owner_reads_a_recording() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("recording");
    Directory::open(&dir, Bounds::default()).unwrap();
    let mode = fs::metadata(&dir).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn a_file_that_is_taken_away_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let policy = policy().await;
    let mut directory = Directory::open(dir.path(), Bounds::default()).unwrap();
    directory.add(1, *decision(&policy, Vec::new())).unwrap();
    directory.flush().unwrap();
    fs::remove_dir_all(dir.path()).unwrap();
    directory.add(2, *decision(&policy, Vec::new())).unwrap();
    let error = directory.flush().unwrap_err();
    assert!(matches!(error, RecordError::Gone(_)), "{error}");
}

#[tokio::test]
async fn what_finds_no_room_is_dropped_and_counted() {
    let policy = policy().await;
    let weight = decision(&policy, Vec::new()).weight();
    for queue in [
        Queue::with_room(3, usize::MAX),
        Queue::with_room(usize::MAX, 3 * weight),
    ] {
        for _ in 0..5 {
            queue.put(decision(&policy, Vec::new()));
        }
        let batch = queue.take();
        let numbers: Vec<_> = batch.decisions.iter().map(|(number, _)| *number).collect();
        assert_eq!((numbers, batch.dropped), (vec![1, 2, 3], 2));
        // There is room again, and the numbers tell of the gap.
        queue.put(decision(&policy, Vec::new()));
        queue.close();
        queue.put(decision(&policy, Vec::new()));
        let batch = queue.take();
        assert_eq!((batch.decisions.len(), batch.decisions[0].0), (1, 6));
        assert_eq!((batch.dropped, batch.last), (0, true));
    }
}

#[tokio::test]
async fn what_was_dropped_or_too_large_is_told_in_the_trailer() {
    let dir = tempfile::tempdir().unwrap();
    let policy = policy().await;
    let mut directory = Directory::open(dir.path(), Bounds::default()).unwrap();
    directory.add(1, *decision(&policy, Vec::new())).unwrap();
    let cut = Decision {
        complete: false,
        ..*decision(&policy, Vec::new())
    };
    directory.add(2, cut).unwrap();
    directory.note_dropped(5);
    directory.seal().unwrap();
    let (decisions, trailers) = all(dir.path()).unwrap();
    let trailer = trailers[0].as_ref().unwrap();
    assert_eq!(decisions.len(), 1);
    assert_eq!(
        (trailer.decisions, trailer.dropped, trailer.oversized),
        (1, 5, 1)
    );
}

/// What reading says about a sealed file of these bytes.
fn complaint(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FIRST);
    fs::write(&path, bytes).unwrap();
    let error = all(&path).unwrap_err().to_string();
    error.replace(&path.display().to_string(), "FILE")
}

fn assert_complaint(bytes: &[u8], begins: &str, says: &str) {
    let complaint = complaint(bytes);
    assert!(
        complaint.starts_with(begins) && complaint.contains(says),
        "{complaint}"
    );
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_told_with_the_line() {
    let (_dir, file) = sealed().await;
    let bytes = fs::read(&file).unwrap();
    assert_complaint(&[], "FILE:1: ", "it was cut off");
    for cut in [20, bytes.len() / 2, bytes.len() - 1] {
        let complaint = complaint(&bytes[..cut]);
        assert!(complaint.contains("it was cut off"), "{cut}: {complaint}");
    }
    let text = text(&file);
    let (whole, _) = text.split_at(text.find("{\"trailer\"").unwrap());
    assert_complaint(&compressed(whole), "FILE:5: ", "it was cut off");
    let middle = &whole[..whole.len() - 30];
    assert_complaint(&compressed(middle), "FILE:4: ", "it was cut off");
}

#[tokio::test]
async fn a_file_that_was_changed_is_told_from_its_original() {
    let (_dir, file) = sealed().await;
    let text = text(&file);
    let changed = text.replacen("\"fuel\":77", "\"fuel\":78", 1);
    assert_ne!(changed, text);
    assert_complaint(&compressed(&changed), "FILE:5: ", "SHA-256");
    let lines: Vec<_> = text.lines().collect();
    let missing = [lines[0], lines[1], lines[3], lines[4], ""].join("\n");
    assert_complaint(&compressed(&missing), "FILE:4: ", "3 lines with 1 decision");
    let more = format!("{text}{}\n", lines[3]);
    assert_complaint(&compressed(&more), "FILE:6: ", "behind the trailer");
    let mut joined = fs::read(&file).unwrap();
    joined.extend(compressed("x"));
    assert_complaint(&joined, "FILE:6: ", "behind the trailer");
    // A flipped bit in the compressed data.
    let mut damaged = fs::read(&file).unwrap();
    let at = damaged.len() - 6;
    damaged[at] ^= 1;
    let complaint = complaint(&damaged);
    assert!(complaint.contains("damaged from here on"), "{complaint}");
}

/// A sealed file of these lines, as a hand that knows the format would write it.
fn forged(lines: &[&str]) -> Vec<u8> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let decisions = lines
        .iter()
        .filter(|line| line.starts_with("{\"decision\""));
    let trailer = Line::Trailer(Trailer {
        lines: lines.len() as u64,
        decisions: decisions.count() as u64,
        dropped: 0,
        oversized: 0,
        recovered: false,
        sha256: Digest::of(text.as_bytes()),
    });
    compressed(&format!(
        "{text}{}\n",
        serde_json::to_string(&trailer).unwrap()
    ))
}

#[tokio::test]
async fn what_is_no_line_of_this_format_is_told() {
    let (_dir, file) = sealed().await;
    let text = text(&file);
    let [header, policy, decision, ..] = text.lines().collect::<Vec<_>>()[..] else {
        panic!("{text}");
    };
    assert_complaint(b"{\"header\":{}}", "FILE: ", "no gzip file");
    let newer = header.replace(
        "\"version\":1,\"tidegate\":\"0.1.0\"",
        "\"version\":2,\"tidegate\":\"9.9.9\"",
    );
    assert_complaint(
        &forged(&[&newer]),
        "FILE:1: ",
        "replay it with tidegate 9.9.9",
    );
    let foreign = header.replace(FORMAT, "something");
    assert_complaint(&forged(&[&foreign]), "FILE:1: ", "no header");
    assert_complaint(&forged(&[policy]), "FILE:1: ", "no header");
    assert_complaint(&forged(&[header, header]), "FILE:2: ", "first line only");
    assert_complaint(
        &forged(&[header, decision]),
        "FILE:2: ",
        "no policy 0 stands above",
    );
    assert_complaint(
        &forged(&[header, policy, "{\"decision\":1}"]),
        "FILE:3: ",
        "no line of a recording",
    );
    assert_complaint(
        &forged(&[header, policy, "nonsense"]),
        "FILE:3: ",
        "no line of a recording",
    );
    let unfit = decision.replace("{\"bytes\":{\"text\":\"{}\"}}", "{\"count\":1}");
    assert_ne!(unfit, decision);
    assert_complaint(
        &forged(&[header, policy, &unfit]),
        "FILE:3: ",
        "no answer to staging.read-file(file",
    );
    let whole = forged(&[header, policy, decision]);
    let path = _dir.path().join("other.gz");
    fs::write(&path, whole).unwrap();
    assert_eq!(
        all(&path).unwrap().0.len(),
        1,
        "the forger knows the format"
    );
}

#[test]
fn what_is_not_there_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let empty = sources(dir.path()).unwrap_err();
    assert!(matches!(empty, BadRecording::Empty(_)), "{empty}");
    let missing = sources(&dir.path().join("none")).unwrap_err();
    assert!(matches!(missing, BadRecording::Missing(_)), "{missing}");
    let source = Source {
        path: dir.path().to_owned(),
        ending: Ending::Sealed,
    };
    let directory = read(&source, &Arc::default(), |_| true).unwrap_err();
    assert!(matches!(directory, BadRecording::Io { .. }), "{directory}");
}
