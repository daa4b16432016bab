//! What is read from the staging directory, and what is told of it.

use super::*;

#[test]
fn a_bad_staged_file_is_told_and_takes_nothing_from_what_the_store_holds() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    world.read = Some(Staged::IllFormed {
        size: 3,
        modified: world.now,
        reason: "not JSON".into(),
    });
    (world.signature, world.decision) = (99, RetryDecision::Abandon("enough".into()));
    world.look(Trigger::Changed);
    assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 1));
    assert!(world.stream.wake.is_some(), "looked at again all the same");
    let told = |note: &Note| note.level == Level::Warning && note.text.contains("not JSON");
    assert!(world.notes.iter().any(told), "{:?}", world.notes);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_read_again_soon() {
    for trigger in [Trigger::Scheduled, Trigger::Changed] {
        let mut world = World::new().stage("a:Utf8");
        world.read = Some(Staged::Torn);
        world.look(Trigger::FirstSeen);
        assert_eq!(world.stream.wake, Some(NOW.plus(world.rules.min_delay)));
        assert_eq!((world.stream.attempts, world.puts), (0, 0));
        world.read = None;
        world.look(trigger);
        assert_eq!(world.stream.phase, Phase::Synced, "{trigger:?}");
    }
}

#[test]
fn nothing_is_owed_once_the_staging_directory_is_gone() {
    let mut world = World::new();
    (world.presence, world.choice) = (absent(), Choice::Skip("no".into()));
    world.look(Trigger::FirstSeen);
    assert_eq!(world.stream.phase, Phase::Awaiting);
    world.run(Event::StagingGone);
    assert_eq!(
        (world.stream.phase, world.stream.next_wake()),
        (Phase::Idle, None)
    );
}

#[test]
fn policies_are_told_since_when_the_host_has_seen_the_staged_file() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    let LocalState::File(file) = &world.stream.local else {
        panic!("{:?}", world.stream.local);
    };
    assert_eq!(file.stable_since, world.stream.sighting.stable_since);
    assert_eq!(file.stable_since, NOW);
}

fn ill_formed(world: &World) -> Staged {
    Staged::IllFormed {
        size: 3,
        modified: world.now,
        reason: "line 1: not JSON".into(),
    }
}

#[test]
fn an_ill_formed_file_is_told_and_the_store_left_alone() {
    let mut world = World::new();
    world.read = Some(ill_formed(&world));
    world.look(Trigger::FirstSeen);
    let failure = world.stream.last_failure.clone();
    assert!(
        failure.is_some_and(|failure| failure.to_string().contains("not JSON")),
        "{:?}",
        world.stream
    );
    assert_eq!((world.stream.phase, world.puts), (Phase::Pending, 0));
}

#[test]
fn a_stream_that_was_deleted_is_gone_however_ill_formed_its_staged_file_is() {
    let mut world = World::new();
    world.read = Some(ill_formed(&world));
    world.look(Trigger::FirstSeen);
    world.marker = None;
    world.look(Trigger::Scheduled);
    assert_eq!(world.stream.phase, Phase::Gone);
}

#[test]
fn what_is_stored_of_a_stream_that_nothing_is_staged_for_is_adopted_and_compared() {
    let mut world = World::new().storing("a:Utf8");
    world.presence = Presence::NotExpected("nothing staged".into());
    world.peers = vec![schema("a:Int64")];
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 0));
    let due = world.stream.peers.due.expect("it was never compared");
    assert!(due <= world.now.plus(world.rules.check_peers_interval));
    world.now = due;
    world.look(Trigger::Scheduled);
    assert_eq!(world.stream.phase, Phase::Conflicted);
    // What is confirmed can be restored.
    world.peers.clear();
    world.now = world.stream.peers.due.expect("it is compared again");
    world.look(Trigger::Scheduled);
    assert_eq!(world.stream.phase, Phase::Synced);
    assert_eq!(
        world.stream.true_schema().map(|known| known.schema.clone()),
        Some(schema("a:Utf8"))
    );
}

#[test]
fn a_stream_that_neither_staging_nor_the_store_has_anything_of_is_idle() {
    for marker in [None, Some(1_000)] {
        let mut world = World::new();
        world.marker = marker;
        world.presence = Presence::NotExpected("nothing staged".into());
        world.look(Trigger::FirstSeen);
        assert_eq!(world.stream.phase, Phase::Idle);
        assert!(world.stream.is_settled());
        // The store may know it later.
        assert_eq!(world.stream.next_wake().is_some(), marker.is_none());
    }
}

#[test]
fn a_store_that_fails_is_asked_again_what_it_holds_of_a_stream_before_that_is_idle() {
    let mut world = World::new().storing("a:Utf8");
    world.presence = Presence::NotExpected("nothing staged".into());
    world.markers_reachable = false;
    world.look(Trigger::FirstSeen);
    assert_eq!(
        (world.stream.phase, world.stream.attempts),
        (Phase::Unseen, 1)
    );
    assert!(!world.stream.is_settled());
    world.markers_reachable = true;
    world.now = world.stream.next_wake().expect("the policies say when");
    world.look(Trigger::Scheduled);
    assert_eq!(
        (world.stream.phase, world.stream.attempts),
        (Phase::Synced, 0)
    );
}

/// A policy may take a missing object for a lost one.
#[test]
fn an_object_that_was_never_there_is_not_recorded_as_missing() {
    let mut world = World::new();
    world.presence = Presence::NotExpected("nothing staged".into());
    world.look(Trigger::FirstSeen);
    assert_eq!(world.stream.phase, Phase::Idle);
    assert_eq!(world.stream.remote, crate::contract::RemoteState::Unknown);
    // The node publishes, and something happens in staging.
    world.store(Stored::Schema(schema("a:Utf8")));
    world.signature += 1;
    world.look(Trigger::Changed);
    assert_eq!(world.stream.phase, Phase::Synced);
}
