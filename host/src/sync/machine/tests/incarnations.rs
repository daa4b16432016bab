//! Streams that are deleted, and their successors of the same name.

use super::*;

#[test]
fn nothing_is_written_for_a_stream_without_a_marker() {
    for presence in [Presence::Present, absent()] {
        let mut world = World::new().stage("a:Utf8");
        world.marker = None;
        world.presence = presence;
        world.peers = vec![schema("a:Utf8")];
        if world.presence != Presence::Present {
            world.staged = None;
        }
        world.look(Trigger::FirstSeen);
        assert_eq!((world.stream.phase, world.puts), (Phase::Unknown, 0));
    }
}

#[test]
fn a_stream_that_the_store_never_had_is_unknown_until_its_marker_comes() {
    let mut world = World::new().stage("a:Utf8");
    world.marker = None;
    world.look(Trigger::FirstSeen);
    assert!(!world.stream.phase.is_settled());
    let warnings = |world: &World| {
        let warns =
            |note: &&Note| note.level == Level::Warning && note.text.contains("does not know");
        world.notes.iter().filter(warns).count()
    };
    for attempts in 2..5 {
        world.look(Trigger::Scheduled);
        assert_eq!(
            (world.stream.phase, world.stream.attempts),
            (Phase::Unknown, attempts)
        );
    }
    assert_eq!(warnings(&world), 1, "{:?}", world.notes);
    // No policy can give it up.
    world.decision = RetryDecision::Abandon("tired".into());
    world.look(Trigger::Scheduled);
    assert_eq!(world.stream.phase, Phase::Unknown);
    world.marker = Some(1_000);
    world.look(Trigger::Scheduled);
    assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 1));
}

#[test]
fn a_stream_that_neither_the_store_nor_the_node_has_is_dropped() {
    let mut world = World::new().stage("a:Utf8");
    world.marker = None;
    world.look(Trigger::FirstSeen);
    world.run(Event::StagingGone);
    assert_eq!(
        (world.stream.phase, world.stream.captured.clone()),
        (Phase::Idle, None)
    );
}

#[test]
fn a_stream_that_neither_has_is_dropped_by_whichever_look_comes_first() {
    for trigger in [
        Trigger::Scheduled,
        Trigger::Verification,
        Trigger::Requested,
    ] {
        let mut world = World::new().stage("a:Utf8");
        world.marker = None;
        world.look(Trigger::FirstSeen);
        assert_eq!(world.stream.phase, Phase::Unknown);
        world.signature = 0;
        (world.staged, world.presence) = (None, absent());
        world.look(trigger);
        assert_eq!(
            (world.stream.phase, world.stream.captured.clone()),
            (Phase::Idle, None),
            "{trigger:?}"
        );
    }
}

#[test]
fn a_deletion_is_noticed_when_the_staging_directory_disappears() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    world.run(Event::StagingGone);
    assert_eq!(world.stream.phase, Phase::Synced, "the stream still exists");
    (world.marker, world.stored) = (None, None);
    world.markers_reachable = false;
    world.run(Event::StagingGone);
    assert_eq!(world.stream.phase, Phase::Synced, "nothing is known");
    assert!(world.stream.look.is_some(), "it is looked at again");
    world.markers_reachable = true;
    world.run(Event::StagingGone);
    assert_eq!(world.stream.phase, Phase::Gone);
}

#[test]
fn a_stream_that_is_deleted_during_a_create_is_gone() {
    for presence in [Presence::Present, absent()] {
        let mut world = World::new();
        (world.presence, world.peers) = (presence, vec![schema("a:Utf8")]);
        if world.presence == Presence::Present {
            world.restage("a:Utf8");
        }
        world.marker_after_writes = Some(None);
        world.look(Trigger::FirstSeen);
        assert_eq!((world.stream.phase, world.puts), (Phase::Gone, 1));
        assert!(world.notes.iter().any(
            |note| note.level == Level::Warning && note.text.contains("deleted from the store")
        ));
    }
}

#[test]
fn nothing_is_written_while_the_marker_cannot_be_asked_for() {
    let mut world = World::new().stage("a:Utf8");
    world.markers_reachable = false;
    world.look(Trigger::FirstSeen);
    world.look(Trigger::Scheduled);
    assert_eq!((world.stream.phase, world.puts), (Phase::Pending, 0));
    world.stream.incarnation = Some(marker(1_000));
    world.look(Trigger::Scheduled);
    assert_eq!((world.stream.phase, world.puts), (Phase::Pending, 0));
    assert_eq!(world.stream.intent, None, "no request was made");
    world.markers_reachable = true;
    world.look(Trigger::Scheduled);
    assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 1));
}

#[test]
fn a_deleted_stream_is_looked_for_again_and_comes_back_as_a_new_one() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    (world.marker, world.stored) = (None, None);
    let deleted = world.now;
    world.look(Trigger::Verification);
    assert_eq!(world.stream.phase, Phase::Gone);
    let recheck = world.rules.recheck;
    assert_eq!(world.stream.wake, Some(deleted.plus(recheck)));
    world.now = deleted.plus(recheck);
    world.look(Trigger::Scheduled);
    assert_eq!(world.stream.phase, Phase::Gone);
    world.marker = Some(world.now.as_millis());
    world.restage("a:Utf8");
    world.look(Trigger::Scheduled);
    assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 2));
}

#[test]
fn a_stream_created_anew_takes_nothing_from_its_predecessor() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    world.stored = None;
    world.marker = Some(NOW.as_millis() + 60_000);
    world.look(Trigger::Verification);
    assert_eq!(world.puts, 1, "the old staged file is held");
    assert_ne!(world.stream.phase, Phase::Synced);
    assert_eq!(world.stored(), None);
    world.now = NOW.plus(Duration::from_secs(120));
    world.restage("b:Int64");
    world.look(Trigger::Changed);
    assert_eq!(world.stored(), Some(schema("b:Int64")));
}

#[test]
fn a_staged_file_older_than_a_stream_that_is_new_to_us_is_held() {
    let mut world = World::new().stage("old:Utf8");
    world.marker = Some(NOW.as_millis() + 60_000);
    world.look(Trigger::FirstSeen);
    assert_eq!((world.puts, world.stored()), (0, None));
    let told = |note: &Note| note.level == Level::Warning && note.text.contains("held");
    assert!(world.notes.iter().any(told), "{:?}", world.notes);
    assert!(world.stream.held.is_some());
    let again = world.stream.wake.expect("it is looked at again");
    assert!(again <= world.now.plus(world.rules.max_delay));
    world.now = NOW.plus(Duration::from_secs(120));
    world.restage("new:Utf8");
    world.look(Trigger::Changed);
    assert_eq!(world.stored(), Some(schema("new:Utf8")));
    assert_eq!(world.stream.held, None);
}

#[test]
fn a_file_that_is_held_back_is_judged_again_by_the_marker_of_then() {
    let mut world = World::new().stage("a:Utf8");
    world.presence = Presence::NotExpected("nothing is staged".into());
    world.look(Trigger::FirstSeen);
    world.presence = Presence::Present;
    world.marker = Some(NOW.as_millis() + 60_000);
    world.look(Trigger::Requested);
    world.presence = Presence::NotExpected("nothing is staged".into());
    world.look(Trigger::Requested);
    assert_eq!((world.puts, world.stream.is_settled()), (0, false));
    // The clock that was wrong is set right, and the marker is written again.
    world.marker = Some(NOW.as_millis() - 60_000);
    world.presence = Presence::Present;
    world.now = world.stream.next_wake().expect("it is looked at again");
    world.look(Trigger::Scheduled);
    assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 1));
}

#[test]
fn a_create_without_an_answer_is_looked_at_by_the_marker_also_where_its_content_stands() {
    let mut world = World::new().stage("a:Utf8");
    world.fate = Fate::AnswerLost;
    world.look(Trigger::FirstSeen);
    assert_eq!(world.stream.phase, Phase::Synced);
    // What is stored was the node's own; the Create comes after the stream was deleted.
    world.marker = None;
    world.now = world.stream.next_wake().expect("it is looked at again");
    world.look(Trigger::Scheduled);
    assert_eq!(world.stream.phase, Phase::Gone);
}

#[test]
fn a_file_that_appears_after_its_stream_was_seen_is_published_whatever_another_clock_says() {
    let mut world = World::new().stage("a:Utf8");
    // The querier's clock is an hour ahead.
    world.marker = Some(NOW.as_millis() + 3_600_000);
    world.look(Trigger::FirstSeen);
    assert_eq!((world.puts, world.stored()), (0, None));
    let restaged_at = world.now;
    world.restage("a:Utf8");
    let sighting = Sighting {
        signature: world.signature,
        stable_since: restaged_at,
        ..sighting(0)
    };
    world.run(Event::Looked {
        trigger: Trigger::Changed,
        sighting,
    });
    assert_eq!(world.stored(), Some(schema("a:Utf8")));
}

#[test]
fn a_file_that_is_held_back_stays_so_over_a_restart() {
    let mut world = World::new().stage("old:Utf8");
    world.marker = Some(NOW.as_millis() + 60_000);
    world.look(Trigger::FirstSeen);
    // After a restart, every file counts as first seen then.
    world.restart();
    let sighting = Sighting {
        signature: world.signature,
        stable_since: world.now,
        ..sighting(0)
    };
    world.run(Event::Looked {
        trigger: Trigger::Requested,
        sighting,
    });
    assert_eq!((world.puts, world.stored()), (0, None));
}

#[test]
fn clocks_may_differ_by_the_tolerance() {
    for (ahead, published) in [(10_000, true), (10_001, false)] {
        let mut world = World::new().stage("a:Utf8");
        world.rules.clock_tolerance = Duration::from_secs(10);
        world.marker = Some(NOW.as_millis() + ahead);
        world.look(Trigger::FirstSeen);
        assert_eq!(world.stored().is_some(), published, "{ahead} ms");
    }
}

#[test]
fn what_was_captured_before_any_marker_was_seen_stays_out_of_a_later_stream() {
    let mut world = World::new().stage("old:Utf8");
    world.markers_reachable = false;
    world.look(Trigger::FirstSeen);
    assert_eq!(world.stream.phase, Phase::Pending);
    (world.staged, world.presence) = (None, Presence::NotExpected("quiet".into()));
    world.marker = Some(NOW.as_millis() + 60_000);
    world.now = NOW.plus(Duration::from_secs(120));
    world.markers_reachable = true;
    world.look(Trigger::Scheduled);
    assert_eq!((world.puts, world.stored()), (0, None));
    assert_eq!(world.stream.captured, None);
}

#[test]
fn what_was_captured_for_a_stream_created_anew_before_that_was_noticed_is_published() {
    let mut world = World::new().stage("old:Utf8");
    world.look(Trigger::FirstSeen);
    world.now = NOW.plus(Duration::from_secs(120));
    world.marker = Some(NOW.as_millis() + 60_000);
    world.stored = None;
    world.restage("new:Int64");
    world.reachable = false;
    world.look(Trigger::Changed);
    (world.staged, world.presence) = (None, Presence::NotExpected("quiet".into()));
    world.reachable = true;
    world.look(Trigger::Scheduled);
    assert_eq!(world.stored(), Some(schema("new:Int64")));
}

#[test]
fn nothing_of_a_deleted_stream_is_merged_into_its_successor() {
    for (stored, repair) in [
        (Stored::Schema(schema("b:Int64")), false),
        (Stored::Schema(schema("a:Int64")), false),
        (Stored::Garbage, true),
    ] {
        let mut world = World::new().stage("a:Utf8");
        world.look(Trigger::FirstSeen);
        world.rules.repair = if repair { Repair::All } else { Repair::Off };
        (world.staged, world.presence) = (None, Presence::NotExpected("quiet".into()));
        world.marker = Some(NOW.as_millis() + 60_000);
        world.store(stored.clone());
        world.look(Trigger::Verification);
        assert_eq!(
            (world.puts, world.stored.as_ref().map(|(stored, _)| stored)),
            (1, Some(&stored)),
            "only the old incarnation was published"
        );
        let (phase, adopted) = match stored {
            Stored::Schema(schema) => (Phase::Synced, Some(schema)),
            Stored::Garbage => (Phase::Conflicted, None),
        };
        let known = world.stream.true_schema();
        assert_eq!(
            (world.stream.phase, known.map(|known| known.schema.clone())),
            (phase, adopted)
        );
    }
}

#[test]
fn another_nodes_marker_tells_of_a_new_stream_only_when_it_is_younger_than_our_last_look() {
    for (age, puts, phase) in [(-500_i64, 2, Phase::Synced), (60_000, 1, Phase::Idle)] {
        let mut world = World::new().stage("a:Utf8");
        world.look(Trigger::FirstSeen);
        let created_at = NOW.as_millis().saturating_add_signed(age);
        (world.marker_key, world.marker) = ("n2.stream.json", Some(created_at));
        (world.staged, world.presence) = (None, Presence::NotExpected("quiet".into()));
        world.now = NOW.plus(Duration::from_secs(120));
        world.rules.repair = Repair::All;
        world.stored = None;
        world.look(Trigger::Verification);
        assert_eq!((world.puts, world.stream.phase), (puts, phase), "{age}");
    }
}

#[test]
fn a_fallback_of_a_stream_created_anew_starts_from_scratch() {
    let mut world = World::new();
    (world.presence, world.peers_complete) = (absent(), false);
    world.look(Trigger::FirstSeen);
    world.look(Trigger::Requested);
    assert_eq!(world.stream.absences, 2);
    (world.marker, world.peers_complete) = (Some(NOW.as_millis() + 60_000), true);
    world.look(Trigger::Requested);
    assert_eq!(world.stream.phase, Phase::Provisional);
    let told = |note: &Note| note.level == Level::Warning && note.text.contains("created anew");
    assert!(world.notes.iter().any(told), "{:?}", world.notes);
}

#[test]
fn a_stream_created_anew_behind_our_back_ends_a_conflict() {
    for successor in ["b:Int64", "a:Boolean"] {
        let mut world = World::new().stage("a:Utf8").storing("a:Int64");
        world.look(Trigger::FirstSeen);
        assert_eq!(world.stream.phase, Phase::Conflicted);
        (world.staged, world.presence) = (None, Presence::NotExpected("quiet".into()));
        world.marker = Some(NOW.as_millis() + 60_000);
        world.store(Stored::Schema(schema(successor)));
        world.look(Trigger::Verification);
        assert_eq!(
            (world.stream.phase, world.puts, world.stream.captured),
            (Phase::Synced, 0, None)
        );
    }
}

#[test]
fn a_look_after_a_create_that_fails_is_made_up_for() {
    let rules = Rules::default();
    let moment = || Moment {
        now: NOW,
        entropy: 1,
        rules: &rules,
    };
    let mut stream = doing(Phase::Synced, Activity::CheckingMarker(Purpose::Created));
    let failure = StoreFailure::new(FailureKind::Timeout, "no answer");
    stream.step(Event::Marker(Err(failure)), moment()).unwrap();
    let looked = Event::Looked {
        trigger: Trigger::Verification,
        sighting: sighting(7),
    };
    assert_eq!(stream.step(looked, moment()).unwrap(), [Effect::Head]);
    let found = Event::Headed(Ok(HeadSeen::Found(object("v1"))));
    let effects = stream.step(found, moment()).unwrap();
    assert_eq!(effects, [Effect::CheckMarker(Purpose::Verify)]);
}
