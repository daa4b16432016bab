//! The table against the code: every phase meets every event.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::fixtures::*;
use super::stream::{Activity, Ended, Mode, Purpose, Source, Stream};
use super::{
    Event, HeadSeen, MarkerSeen, Moment, Proposal, RemoteSeen, Repair, Resolved, Rules, Sighting,
    Staged,
};
use crate::contract::{
    Choice, Failure, FailureKind, Phase, Presence, RetryDecision, StoreFailure, Trigger,
};
use crate::storage::Put;

/// From the table: by phase and event, the phase that follows.
type Rows = BTreeMap<(Phase, String), Phase>;

fn phases(text: &str) -> Vec<Phase> {
    match text.strip_prefix("any") {
        None => text.split(", ").map(|name| name.parse().unwrap()).collect(),
        Some(rest) => {
            let but = rest.strip_prefix(" but ").map(phases).unwrap_or_default();
            Phase::ALL
                .into_iter()
                .filter(|phase| !but.contains(phase))
                .collect()
        }
    }
}

fn rows() -> Rows {
    let mut rows = Rows::new();
    for line in include_str!("TABLE.md").lines().skip(3) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [from, event, to, _] = cells[..] else {
            panic!("a row has four cells: {line}")
        };
        for phase in phases(from) {
            let to = if to == "same" {
                phase
            } else {
                to.parse().unwrap()
            };
            let twice = rows.insert((phase, event.to_owned()), to);
            assert!(twice.is_none(), "two rows for {phase} and `{event}`");
        }
    }
    rows
}

fn down() -> StoreFailure {
    StoreFailure::new(FailureKind::Unavailable, "down")
}

fn found(fields: &str, version: &str) -> Event {
    Event::Fetched(Ok(RemoteSeen::WellFormed {
        object: object(version),
        schema: schema(fields),
    }))
}

fn corrupt() -> Event {
    Event::Fetched(Ok(RemoteSeen::Corrupt {
        object: object("v9"),
        reason: "not JSON".into(),
    }))
}

fn looked(trigger: Trigger, sighting: Sighting) -> Event {
    Event::Looked { trigger, sighting }
}

/// A GET is for different things in different phases.
fn fetching(phase: Phase) -> Stream {
    let purpose = match phase {
        Phase::Provisional | Phase::Synced | Phase::Abandoned => Purpose::Verify,
        _ => Purpose::Publish,
    };
    doing(phase, Activity::Fetching(purpose))
}

/// Looks at what stands where its object was missing.
fn lost(phase: Phase) -> Stream {
    Stream {
        confirmed: stream(Phase::Synced).confirmed,
        ..doing(phase, Activity::Fetching(Purpose::Verify))
    }
}

fn with_intent(phase: Phase, activity: Activity) -> Stream {
    let intent = match phase {
        Phase::Awaiting => intent("", Mode::Create, Source::Peers),
        _ => intent("a:Utf8", Mode::Create, Source::Local),
    };
    Stream {
        intent: Some(intent),
        ..doing(phase, activity)
    }
}

fn asked_retry(phase: Phase, failure: Failure) -> Stream {
    Stream {
        attempts: 1,
        ..doing(phase, Activity::AskingRetry(failure))
    }
}

fn with_captured(stream: Stream) -> Stream {
    Stream {
        captured: Some(document("a:Utf8")),
        ..stream
    }
}

fn without_captured(stream: Stream) -> Stream {
    Stream {
        captured: None,
        local: crate::contract::LocalState::Missing,
        ..stream
    }
}

/// The event of this name in the table, and the stream that meets it. `None` where a stream in this phase can't be in
/// the situation that the name describes.
fn situation(event: &str, phase: Phase) -> Option<(Stream, Event)> {
    let store_failed = || Failure::Store(down());
    let existence = |answer| {
        (
            doing(phase, Activity::AskingExistence(None)),
            Event::Judged(answer),
        )
    };
    let looked_up = |stream| Stream {
        remote: crate::contract::RemoteState::Missing { seen: NOW },
        ..stream
    };
    let only = |phases: &[Phase]| phases.contains(&phase).then_some(());
    Some(match event {
        "start, an intent is stored" => (with_intent(phase, Activity::Resting), Event::Started),
        "start, no intent" => (stream(phase), Event::Started),
        "marker gone" => {
            if phase == Phase::Unknown {
                return None;
            }
            let purpose = if phase == Phase::Gone {
                Purpose::Revive
            } else {
                Purpose::Missing
            };
            (
                doing(phase, Activity::CheckingMarker(purpose)),
                Event::Marker(Ok(MarkerSeen::Gone)),
            )
        }
        "staged, no marker, and none was ever seen"
        | "not staged, no marker, and none was ever seen" => {
            if phase == Phase::Gone {
                return None;
            }
            let signature = match event.starts_with("not") {
                true => 0,
                false => 7,
            };
            let unseen = Stream {
                incarnation: None,
                sighting: sighting(signature),
                ..doing(phase, Activity::CheckingMarker(Purpose::Publish))
            };
            (unseen, Event::Marker(Ok(MarkerSeen::Gone)))
        }
        "marker present" => {
            only(&[Phase::Gone, Phase::Unknown])?;
            let purpose = match phase {
                Phase::Gone => Purpose::Revive,
                _ => Purpose::Publish,
            };
            (
                doing(phase, Activity::CheckingMarker(purpose)),
                Event::Marker(Ok(exists())),
            )
        }
        "an operator resolves a conflict" => (
            stream(phase),
            Event::Resolved(Box::new(Resolved {
                document: document("a:Int64"),
                captured: document("a:Int64"),
                version: crate::contract::Version::new("v1"),
            })),
        ),
        "the nodes are to be compared" => (stream(phase), Event::CompareNodes),
        "the nodes disagree" | "the nodes agree" => {
            only(&[Phase::Synced, Phase::Conflicted, Phase::Gone])?;
            let other = match event {
                "the nodes agree" => "b:Int64",
                _ => "a:Int64",
            };
            (
                doing(phase, Activity::ComparingNodes(schema("a:Utf8"))),
                Event::Peers(Ok(peers(&[other]))),
            )
        }
        "marker of a new incarnation" => {
            if matches!(phase, Phase::Gone | Phase::Unknown) {
                return None;
            }
            let new = MarkerSeen::Present(marker(2_000));
            (
                doing(phase, Activity::CheckingMarker(Purpose::Publish)),
                Event::Marker(Ok(new)),
            )
        }
        "staging dir gone" => (stream(phase), Event::StagingGone),
        "staging dir gone, something captured" => {
            only(&[Phase::Unseen])?;
            (with_captured(stream(phase)), Event::StagingGone)
        }
        "staging dir gone, an intent is stored" => {
            if matches!(
                phase,
                Phase::Unseen | Phase::Unknown | Phase::Idle | Phase::Gone
            ) {
                return None;
            }
            (with_intent(phase, Activity::Resting), Event::StagingGone)
        }
        "staging dir gone, the stored object is missing" => {
            only(&[Phase::Awaiting])?;
            let remote = crate::contract::RemoteState::Missing { seen: NOW };
            let confirmed = stream(Phase::Synced).confirmed;
            let lost = Stream {
                confirmed,
                remote,
                ..stream(phase)
            };
            (lost, Event::StagingGone)
        }
        "staged ⊆ confirmed" => {
            only(&[Phase::Synced, Phase::Gone])?;
            (
                doing(phase, Activity::ReadingStaged(Trigger::Changed)),
                Event::Read(staged("a:Utf8")),
            )
        }
        "staged content has a new meaning" => (
            doing(phase, Activity::ReadingStaged(Trigger::Changed)),
            Event::Read(staged("a:Utf8 new:Int64")),
        ),
        "staged file torn while read" => (
            doing(phase, Activity::ReadingStaged(Trigger::Changed)),
            Event::Read(Staged::Torn),
        ),
        "present" => (
            doing(phase, Activity::AskingExistence(Some(schema("a:Utf8")))),
            Event::Judged(Presence::Present),
        ),
        "local ill-formed" => (
            Stream {
                invalid: Some("not JSON".into()),
                ..doing(phase, Activity::AskingExistence(None))
            },
            Event::Judged(Presence::Present),
        ),
        "local ill-formed, nothing captured" => {
            only(&[Phase::Pending, Phase::Awaiting, Phase::Gone])?;
            let invalid = Stream {
                invalid: Some("not JSON".into()),
                ..without_captured(doing(phase, Activity::AskingExistence(None)))
            };
            (invalid, Event::Judged(Presence::Present))
        }
        "local ill-formed, the stored object is missing" => {
            only(&[Phase::Awaiting, Phase::Gone])?;
            let lost = Stream {
                confirmed: stream(Phase::Synced).confirmed,
                remote: crate::contract::RemoteState::Missing { seen: NOW },
                invalid: Some("not JSON".into()),
                ..doing(phase, Activity::AskingExistence(None))
            };
            (lost, Event::Judged(Presence::Present))
        }
        "absent" => {
            if matches!(phase, Phase::Pending | Phase::Unknown) {
                return None;
            }
            existence(Presence::Absent("owed".into()))
        }
        "absent, something captured" => {
            only(&[Phase::Pending, Phase::Unknown, Phase::Unseen, Phase::Gone])?;
            let (stream, event) = existence(Presence::Absent("owed".into()));
            (with_captured(stream), event)
        }
        "absent, nothing captured" => {
            only(&[Phase::Pending, Phase::Unknown, Phase::Gone])?;
            let (stream, event) = existence(Presence::Absent("owed".into()));
            (without_captured(stream), event)
        }
        "not-expected" => {
            if matches!(phase, Phase::Pending | Phase::Unknown) {
                return None;
            }
            let (stream, event) = existence(Presence::NotExpected("young".into()));
            (looked_up(stream), event)
        }
        "not-expected, no object was ever seen" => {
            let phases = [
                Phase::Unseen,
                Phase::Idle,
                Phase::Awaiting,
                Phase::Pending,
                Phase::Unknown,
            ];
            only(&phases)?;
            let (stream, event) = existence(Presence::NotExpected("young".into()));
            let stream = without_captured(stream);
            (
                Stream {
                    sighting: sighting(7),
                    ..stream
                },
                event,
            )
        }
        "looked up, found" | "looked up, missing" | "looked up, store failure" => {
            only(&[Phase::Unseen, Phase::Idle, Phase::Gone])?;
            let seen = match event {
                "looked up, found" => found("a:Utf8", "v1"),
                "looked up, missing" => Event::Fetched(Ok(RemoteSeen::Missing)),
                _ => Event::Fetched(Err(down())),
            };
            (doing(phase, Activity::Fetching(Purpose::Adopt)), seen)
        }
        "looked up, no marker" => {
            only(&[Phase::Unseen, Phase::Idle])?;
            let unknown = Stream {
                incarnation: None,
                ..doing(phase, Activity::CheckingMarker(Purpose::Adopt))
            };
            (unknown, Event::Marker(Ok(MarkerSeen::Gone)))
        }
        "not-expected, the stored object is missing" => {
            only(&[Phase::Awaiting, Phase::Gone])?;
            let (lost, event) = existence(Presence::NotExpected("nothing staged".into()));
            let remote = crate::contract::RemoteState::Missing { seen: NOW };
            let lost = Stream {
                confirmed: stream(Phase::Synced).confirmed,
                remote,
                ..lost
            };
            (lost, event)
        }
        "not-expected, something captured" => {
            only(&[Phase::Pending, Phase::Unknown, Phase::Unseen, Phase::Gone])?;
            let (stream, event) = existence(Presence::NotExpected("young".into()));
            (with_captured(stream), event)
        }
        "not-expected, nothing captured" => {
            only(&[Phase::Pending, Phase::Unknown, Phase::Gone])?;
            let (stream, event) = existence(Presence::NotExpected("young".into()));
            (looked_up(without_captured(stream)), event)
        }
        "unsettled" => existence(Presence::Unsettled(Duration::from_secs(1))),
        "a valid choice, gates pass" => (
            doing(phase, Activity::Resolving),
            Event::Proposed(Proposal::Schema {
                schema: schema("a:Utf8"),
                source: Source::Peers,
                peers: peers(&["a:Utf8"]),
                marker: exists(),
            }),
        ),
        "Create confirmed" => (
            Stream {
                intent: Some(intent("", Mode::Create, Source::Peers)),
                ..doing(phase, Activity::Writing)
            },
            Event::Written(Put::Done(object("v1"))),
        ),
        "object found, ours" => {
            only(&[Phase::Awaiting, Phase::Gone])?;
            (
                with_intent(phase, Activity::ReadingBack(Ended::Exists)),
                found("", "v1"),
            )
        }
        "object found, well-formed" => {
            only(&[Phase::Awaiting, Phase::Gone])?;
            (
                with_intent(phase, Activity::ReadingBack(Ended::Exists)),
                found("z:Utf8", "v1"),
            )
        }
        "object found, corrupt" => {
            only(&[Phase::Awaiting, Phase::Gone])?;
            (
                with_intent(phase, Activity::ReadingBack(Ended::Exists)),
                corrupt(),
            )
        }
        "skip or refused choice" => (
            doing(phase, Activity::AskingFallback),
            Event::Chosen(Choice::Skip("no rung holds".into())),
        ),
        "store ⊇ local" => {
            only(&[
                Phase::Pending,
                Phase::Gone,
                Phase::Unseen,
                Phase::Idle,
                Phase::Awaiting,
            ])?;
            (fetching(phase), found("a:Utf8 b:Int64", "v1"))
        }
        "store absent, gates pass" => (
            doing(
                phase,
                Activity::ComparingPeers(Box::new(intent("a:Utf8", Mode::Create, Source::Local))),
            ),
            Event::Peers(Ok(peers(&["b:Int64"]))),
        ),
        "mergeable" => {
            only(&[
                Phase::Pending,
                Phase::Gone,
                Phase::Unseen,
                Phase::Idle,
                Phase::Awaiting,
            ])?;
            (fetching(phase), found("b:Int64", "v1"))
        }
        "confirmed" => (
            Stream {
                intent: Some(intent("a:Utf8", Mode::Create, Source::Local)),
                ..doing(phase, Activity::Writing)
            },
            Event::Written(Put::Done(object("v1"))),
        ),
        "ambiguous" => (
            with_intent(phase, Activity::Writing),
            Event::Written(Put::Ambiguous(down())),
        ),
        "lost race" => {
            only(&[Phase::Pending, Phase::Gone])?;
            (
                with_intent(phase, Activity::ReadingBack(Ended::Exists)),
                found("b:Int64", "v1"),
            )
        }
        "store failure" => (
            with_intent(phase, Activity::Writing),
            Event::Written(Put::Refused(down())),
        ),
        "types or peers conflict" => (
            doing(
                phase,
                Activity::ComparingPeers(Box::new(intent("a:Utf8", Mode::Create, Source::Local))),
            ),
            Event::Peers(Ok(peers(&["a:Int64"]))),
        ),
        "stored object corrupt" | "stored object corrupt, repair" => {
            if phase == Phase::Abandoned {
                return None;
            }
            (fetching(phase), corrupt())
        }
        "object changed, by the node" => {
            only(&[Phase::Provisional, Phase::Gone])?;
            (fetching(phase), found("z:Utf8", "v2"))
        }
        "object changed, mergeable" => {
            only(&[Phase::Provisional, Phase::Gone])?;
            let captured = Some(document("a:Utf8"));
            (
                Stream {
                    captured,
                    ..fetching(phase)
                },
                found("z:Utf8", "v2"),
            )
        }
        "object changed, types differ" => {
            only(&[Phase::Provisional, Phase::Gone])?;
            let captured = Some(document("a:Utf8"));
            (
                Stream {
                    captured,
                    ..fetching(phase)
                },
                found("a:Int64", "v2"),
            )
        }
        "verify: missing" | "verify: missing, repair" => {
            only(&[Phase::Synced, Phase::Gone, Phase::Unseen, Phase::Idle]).or_else(|| {
                (event == "verify: missing")
                    .then(|| only(&[Phase::Provisional, Phase::Awaiting]))
                    .flatten()
            })?;
            (
                doing(phase, Activity::CheckingMarker(Purpose::Missing)),
                Event::Marker(Ok(exists())),
            )
        }
        "verify: own schema known, repair" => {
            only(&[Phase::Unseen, Phase::Idle, Phase::Awaiting])?;
            let captured = Some(document("a:Utf8"));
            (
                Stream {
                    captured,
                    // What changed in staging would be read first.
                    sighting: sighting(7),
                    ..stream(phase)
                },
                looked(Trigger::Verification, sighting(7)),
            )
        }
        "verify: another version" => (
            doing(phase, Activity::Heading),
            Event::Headed(Ok(HeadSeen::Found(object("v2")))),
        ),
        "verify: put back" => {
            only(&[Phase::Awaiting, Phase::Gone])?;
            (lost(phase), found("a:Utf8 b:Int64", "v2"))
        }
        "verify: put back, mergeable" => {
            only(&[Phase::Awaiting, Phase::Gone])?;
            (lost(phase), found("b:Int64", "v2"))
        }
        "verify: put back, types differ" => {
            only(&[Phase::Awaiting, Phase::Gone])?;
            (lost(phase), found("a:Int64", "v2"))
        }
        "verify: overwritten, mergeable" => {
            only(&[Phase::Synced, Phase::Gone])?;
            (fetching(phase), found("b:Int64", "v2"))
        }
        "verify: overwritten, types differ" => {
            only(&[Phase::Synced, Phase::Gone])?;
            (fetching(phase), found("a:Int64", "v2"))
        }
        "verify: as confirmed" => {
            if phase == Phase::Abandoned {
                return None;
            }
            (
                doing(phase, Activity::Heading),
                Event::Headed(Ok(HeadSeen::Found(object("v1")))),
            )
        }
        "recheck: mergeable" => {
            only(&[Phase::Conflicted, Phase::Gone])?;
            (fetching(phase), found("b:Int64", "v2"))
        }
        "recheck: still in conflict" => {
            only(&[Phase::Conflicted, Phase::Gone])?;
            (fetching(phase), found("a:Int64", "v2"))
        }
        "retry now" => {
            only(&[Phase::Abandoned])?;
            (stream(phase), looked(Trigger::Requested, sighting(7)))
        }
        "verify ⊇" => {
            only(&[Phase::Abandoned, Phase::Gone])?;
            (fetching(phase), found("a:Utf8 b:Int64", "v1"))
        }
        "after(ms)" => (
            asked_retry(phase, store_failed()),
            Event::Decided(RetryDecision::After(Duration::from_secs(1))),
        ),
        "on-change" => (
            asked_retry(phase, store_failed()),
            Event::Decided(RetryDecision::OnChange),
        ),
        "abandon" => (
            asked_retry(phase, store_failed()),
            Event::Decided(RetryDecision::Abandon("enough".into())),
        ),
        "abandon, the nodes disagree" => {
            only(&[Phase::Conflicted, Phase::Gone])?;
            let mut asked = asked_retry(phase, Failure::SchemaConflict("n1 and n2".into()));
            asked.peers.conflict = Some("n1 and n2".into());
            (
                asked,
                Event::Decided(RetryDecision::Abandon("enough".into())),
            )
        }
        "abandon, nothing failed" => {
            only(&[Phase::Awaiting, Phase::Gone])?;
            let failure = Failure::SchemaAbsent("skipped".into());
            (
                doing(phase, Activity::AskingRetry(failure)),
                Event::Decided(RetryDecision::Abandon("enough".into())),
            )
        }
        other => panic!("the table has an event that this test can't make: {other}"),
    })
}

#[test]
fn the_code_does_what_the_table_says_and_nothing_else() {
    let rows = rows();
    let events: BTreeSet<_> = rows.keys().map(|(_, event)| event.clone()).collect();
    let mut wrong = Vec::new();
    for event in &events {
        for phase in Phase::ALL {
            let Some((mut stream, happened)) = situation(event, phase) else {
                if rows.contains_key(&(phase, event.clone())) {
                    wrong.push(format!(
                        "{phase} × {event}: the table has a row, the test no situation"
                    ));
                }
                continue;
            };
            let rules = Rules {
                repair: match event.ends_with(", repair") {
                    true => Repair::All,
                    false => Repair::Off,
                },
                ..Rules::default()
            };
            let moment = Moment {
                now: NOW,
                entropy: 5,
                rules: &rules,
            };
            let after = stream.step(happened, moment).ok().map(|_| stream.phase);
            let said = rows.get(&(phase, event.clone())).copied();
            if after != said {
                wrong.push(format!(
                    "{phase} × {event}: the table says {said:?}, the code does {after:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn events_out_of_turn_are_refused_in_every_phase() {
    for phase in Phase::ALL {
        for event in [
            Event::Judged(Presence::Present),
            Event::Marker(Ok(exists())),
            found("a:Utf8", "v1"),
            Event::Headed(Ok(HeadSeen::Missing)),
            Event::Peers(Ok(peers(&[]))),
            Event::Chosen(Choice::Peers),
            Event::Proposed(Proposal::Refused("no".into())),
            Event::Written(Put::Done(object("v1"))),
            Event::Decided(RetryDecision::OnChange),
            Event::Read(Staged::Missing),
        ] {
            let name = event.name();
            let rules = Rules::default();
            let refused = stream(phase).step(
                event,
                Moment {
                    now: NOW,
                    entropy: 0,
                    rules: &rules,
                },
            );
            assert!(refused.is_err(), "{phase}, resting, took the event {name}");
        }
    }
}
