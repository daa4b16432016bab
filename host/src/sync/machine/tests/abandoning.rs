//! Streams that the retry policy gives up, and how they come back.

use super::*;

#[test]
fn an_abandoned_stream_begins_again_with_what_it_captured() {
    for presence in [
        Presence::Absent("nothing staged".into()),
        Presence::NotExpected("nothing staged".into()),
    ] {
        let mut world = World::new().stage("a:Utf8");
        world.reachable = false;
        world.decision = RetryDecision::Abandon("enough".into());
        world.look(Trigger::FirstSeen);
        assert_eq!(world.stream.phase, Phase::Abandoned);
        // The node deletes what it staged, and the store comes back.
        world.staged = None;
        world.presence = presence;
        world.reachable = true;
        world.look(Trigger::Requested);
        assert_eq!(world.stream.phase, Phase::Synced);
        assert_eq!(world.stored(), Some(schema("a:Utf8")));
        assert_eq!(world.stream.attempts, 0);
    }
}

#[test]
fn a_skip_while_nothing_failed_never_abandons() {
    let mut world = World::new();
    (world.presence, world.choice) = (absent(), Choice::Skip("no rung holds".into()));
    world.decision = RetryDecision::Abandon("enough".into());
    world.look(Trigger::FirstSeen);
    assert_eq!(
        (world.stream.phase, world.stream.attempts),
        (Phase::Awaiting, 0)
    );
}

#[test]
fn an_abandoned_stream_comes_back_when_asked_or_when_its_schema_changes() {
    for asked in [true, false] {
        let mut world = World::new().stage("a:Utf8");
        (world.reachable, world.decision) = (false, RetryDecision::Abandon("enough".into()));
        world.look(Trigger::FirstSeen);
        assert_eq!(world.stream.phase, Phase::Abandoned);
        assert_eq!(world.stream.next_wake(), None, "nothing is tried by itself");
        let told = |note: &Note| note.level == Level::Alert && note.text.contains("enough");
        assert!(world.notes.iter().any(told), "{:?}", world.notes);
        world.reachable = true;
        world.restage("a:Utf8");
        world.look(Trigger::Changed);
        assert_eq!(world.stream.phase, Phase::Abandoned, "nothing new");
        if asked {
            world.look(Trigger::Requested);
        } else {
            world.restage("a:Utf8 b:Int64");
            world.look(Trigger::Changed);
        }
        assert_eq!(world.stream.phase, Phase::Synced);
    }
}

#[test]
fn what_was_abandoned_starts_to_count_anew_when_asked() {
    let mut world = World::new().stage("a:Utf8");
    world.reachable = false;
    world.look(Trigger::FirstSeen);
    world.decision = RetryDecision::Abandon("enough".into());
    world.look(Trigger::Requested);
    assert_eq!(
        (world.stream.phase, world.stream.attempts),
        (Phase::Abandoned, 2)
    );
    assert_eq!(world.stream.next_wake(), None, "nothing is tried by itself");
    world.decision = RetryDecision::After(Duration::from_secs(1));
    world.look(Trigger::Requested);
    assert_eq!(
        (world.stream.phase, world.stream.attempts),
        (Phase::Pending, 1)
    );
}

#[test]
fn a_verification_ends_abandonment_only_where_the_store_holds_what_was_staged() {
    for (stored, phase) in [
        ("a:Utf8 b:Utf8", Phase::Synced),
        ("b:Utf8", Phase::Abandoned),
    ] {
        let mut world = World::new().stage("a:Utf8");
        (world.reachable, world.decision) = (false, RetryDecision::Abandon("enough".into()));
        world.look(Trigger::FirstSeen);
        world.reachable = true;
        world.store(Stored::Schema(schema(stored)));
        world.look(Trigger::Verification);
        assert_eq!((world.stream.phase, world.puts), (phase, 0), "{stored}");
    }
}
