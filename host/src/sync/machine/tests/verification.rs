//! What a look at the store finds changed, and what only a repair puts right.

use super::*;

#[test]
fn a_verification_downloads_only_what_changed() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    let before = world.gets;
    world.look(Trigger::Verification);
    assert_eq!((world.heads, world.gets), (1, before));
    world.store(Stored::Schema(schema("a:Utf8 b:Utf8")));
    world.look(Trigger::Verification);
    assert_eq!((world.heads, world.gets), (2, before + 1));
}

#[test]
fn a_change_that_a_verification_comes_upon_first_is_published() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    world.restage("a:Utf8 b:Int64");
    world.look(Trigger::Verification);
    world.look(Trigger::Changed);
    assert_eq!(world.stored(), Some(schema("a:Utf8 b:Int64")));
}

#[test]
fn a_verification_keeps_a_conflict_with_what_was_staged_since() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    world.restage("a:Int64");
    world.look(Trigger::Changed);
    assert_eq!(world.stream.phase, Phase::Conflicted);
    world.look(Trigger::Verification);
    assert_eq!(world.stream.phase, Phase::Conflicted);
    assert_eq!(
        world.stream.captured.map(|document| document.schema),
        Some(schema("a:Int64"))
    );
}

#[test]
fn what_the_node_overwrote_is_merged_back() {
    let mut world = World::new().stage("a:Utf8").storing("b:Int64");
    world.look(Trigger::FirstSeen);
    world.store(Stored::Schema(schema("c:Utf8")));
    world.look(Trigger::Scheduled);
    assert_eq!(
        (world.stream.phase, world.stored()),
        (Phase::Synced, Some(schema("a:Utf8 b:Int64 c:Utf8")))
    );
    let told = |note: &Note| note.level == Level::Alert && note.text.contains("overwritten");
    assert!(world.notes.iter().any(told), "{:?}", world.notes);
}

#[test]
fn a_missing_object_is_restored_unless_repairs_are_off() {
    for (rule, repair, phase) in [
        (Repair::Off, false, Phase::Awaiting),
        (Repair::Missing, true, Phase::Synced),
        (Repair::All, true, Phase::Synced),
    ] {
        let mut world = World::new().stage("a:Utf8");
        world.look(Trigger::FirstSeen);
        (world.staged, world.stored) = (None, None);
        world.rules.repair = rule;
        world.look(Trigger::Verification);
        world.look(Trigger::Verification);
        assert_eq!(
            (world.stream.phase, world.stored().is_some()),
            (phase, repair)
        );
    }
}

#[test]
fn what_went_missing_while_repairs_were_off_comes_back_when_they_are_on() {
    for presence in [absent(), Presence::NotExpected("quiet".into())] {
        let mut world = World::new().stage("a:Utf8");
        world.rules.repair = Repair::Off;
        world.look(Trigger::FirstSeen);
        (world.staged, world.stored, world.presence) = (None, None, presence);
        world.look(Trigger::Verification);
        assert!(matches!(world.stream.phase, Phase::Awaiting | Phase::Idle));
        world.rules.repair = Repair::All;
        world.look(Trigger::Verification);
        assert_eq!(
            (world.stream.phase, world.stored()),
            (Phase::Synced, Some(schema("a:Utf8")))
        );
    }
}

#[test]
fn a_repair_brings_back_what_was_staged_since_as_well() {
    for stored in [None, Some(Stored::Garbage)] {
        let mut world = World::new().stage("a:Utf8");
        world.look(Trigger::FirstSeen);
        world.fate = Fate::Throttled;
        world.restage("a:Utf8 b:Int64");
        world.look(Trigger::Changed);
        assert_eq!(world.stream.phase, Phase::Pending);
        (world.staged, world.stored) = (None, None);
        stored.into_iter().for_each(|stored| world.store(stored));
        world.rules.repair = Repair::All;
        world.look(Trigger::Verification);
        assert_eq!(
            (world.stream.phase, world.stored()),
            (Phase::Synced, Some(schema("a:Utf8 b:Int64")))
        );
    }
}

#[test]
fn a_repair_that_would_contradict_the_peers_writes_nothing() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    (world.staged, world.stored) = (None, None);
    world.peers = vec![schema("a:Int64")];
    world.now = world.now.plus(Duration::from_secs(3_600));
    world.rules.repair = Repair::All;
    world.look(Trigger::Verification);
    assert_eq!(
        (world.stream.phase, world.puts, world.stored()),
        (Phase::Conflicted, 1, None)
    );
}

#[test]
fn a_corrupt_object_is_replaced_only_where_all_is_repaired() {
    for (rule, repair, phase) in [
        (Repair::Off, false, Phase::Conflicted),
        (Repair::Missing, false, Phase::Conflicted),
        (Repair::All, true, Phase::Synced),
    ] {
        let mut world = World::new().stage("a:Utf8");
        world.look(Trigger::FirstSeen);
        world.store(Stored::Garbage);
        world.rules.repair = rule;
        world.look(Trigger::Verification);
        assert_eq!(
            (world.stream.phase, world.stored().is_some()),
            (phase, repair)
        );
    }
}

#[test]
fn an_operator_who_asks_has_the_store_looked_at() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    world.stored = None;
    world.look(Trigger::Requested);
    let told = |note: &Note| note.level == Level::Alert && note.text.contains("missing");
    assert!(world.notes.iter().any(told), "{:?}", world.notes);
}

#[test]
fn a_check_that_fails_is_no_failed_attempt_and_is_made_again() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    (world.now, world.reachable) = (NOW.plus(Duration::from_secs(60)), false);
    world.look(Trigger::Scheduled);
    assert_eq!(
        (world.stream.phase, world.stream.attempts),
        (Phase::Synced, 0)
    );
    let next = NOW.plus(Duration::from_secs(60) + world.rules.max_delay);
    assert_eq!(world.stream.look, Some(next));
}

#[test]
fn a_repair_forgets_nothing_that_is_staged_and_clashes() {
    let mut world = World::new().stage("a:Utf8");
    world.rules.repair = Repair::All;
    world.look(Trigger::FirstSeen);
    world.store(Stored::Garbage);
    world.restage("a:Int64");
    world.look(Trigger::Changed);
    assert_eq!(world.stream.phase, Phase::Conflicted);
    let stored = world.stored.as_ref().map(|(stored, _)| stored);
    assert_eq!(stored, Some(&Stored::Schema(schema("a:Utf8"))));
    let captured = world.stream.captured.as_ref();
    assert_eq!(
        captured.map(|captured| &captured.schema),
        Some(&schema("a:Int64"))
    );
}

#[test]
fn an_object_that_is_put_back_is_found_with_repairs_off_whatever_is_staged() {
    let ill_formed = Staged::IllFormed {
        size: 1,
        modified: NOW,
        reason: "not JSON".into(),
    };
    for (presence, read) in [
        (Presence::NotExpected("quiet".into()), Staged::Missing),
        (Presence::Present, ill_formed),
    ] {
        let mut world = World::new().stage("a:Utf8");
        world.rules.repair = Repair::Off;
        world.look(Trigger::FirstSeen);
        (world.stored, world.presence, world.read) = (None, presence, Some(read));
        world.signature += 1;
        world.look(Trigger::Verification);
        world.look(Trigger::Verification);
        assert_eq!(world.stream.phase, Phase::Awaiting);
        world.store(Stored::Schema(schema("a:Utf8")));
        world.look(Trigger::Scheduled);
        assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 1));
    }
}
