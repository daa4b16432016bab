//! A staged schema on its way into the store.

use super::*;

#[test]
fn a_staged_schema_is_created_where_nothing_stands() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    assert_eq!(world.stream.phase, Phase::Synced);
    assert_eq!(world.stored(), Some(schema("a:Utf8")));
    assert_eq!(
        world.stream.look,
        Some(NOW.plus(Duration::from_secs(60))),
        "looked at again after a write"
    );
}

#[test]
fn a_staged_schema_is_merged_into_what_stands() {
    let mut world = World::new().stage("a:Utf8").storing("b:Int64");
    world.look(Trigger::FirstSeen);
    assert_eq!(world.stored(), Some(schema("a:Utf8 b:Int64")));
}

#[test]
fn a_schema_that_the_store_covers_costs_no_write() {
    let mut world = World::new().stage("a:Utf8").storing("a:Utf8 b:Int64");
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 0));
}

#[test]
fn a_staged_schema_that_the_store_is_known_to_cover_costs_no_policy_call_and_no_request() {
    let mut world = World::new().stage("a:Utf8").storing("a:Utf8 b:Int64");
    world.look(Trigger::FirstSeen);
    let before = (world.policies_asked, world.heads, world.gets, world.puts);
    for fields in ["a:Utf8", "b:Int64", "b:Int64 a:Utf8", ""] {
        world.restage(fields);
        world.look(Trigger::Changed);
        let after = (world.policies_asked, world.heads, world.gets, world.puts);
        assert_eq!((world.stream.phase, after), (Phase::Synced, before));
    }
}

#[test]
fn a_clash_of_types_is_named_and_writes_nothing() {
    let mut world = World::new().stage("a:Utf8").storing("a:Int64");
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Conflicted, 0));
    let failure = world.stream.last_failure.unwrap().to_string();
    assert!(
        failure.contains("`a`") && failure.contains("Utf8") && failure.contains("Int64"),
        "{failure}"
    );
    let told = |note: &Note| note.level == Level::Alert && failure.contains(&note.text);
    assert!(world.notes.iter().any(told), "{:?}", world.notes);
}

#[test]
fn a_conflict_ends_when_the_store_changes() {
    let mut world = World::new().stage("a:Utf8").storing("a:Int64");
    world.look(Trigger::FirstSeen);
    world.store(Stored::Schema(schema("b:Int64")));
    // The nodes are compared before the conflict is looked at again.
    world.look(Trigger::Scheduled);
    world.look(Trigger::Scheduled);
    assert_eq!(world.stream.phase, Phase::Synced);
    assert_eq!(world.stored(), Some(schema("a:Utf8 b:Int64")));
}

#[test]
fn an_object_without_a_version_is_never_replaced() {
    let mut world = World::new().stage("a:Utf8").storing("b:Int64");
    world.versionless = true;
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Pending, 0));
    let failure = world.stream.last_failure.unwrap().to_string();
    assert!(failure.contains("no version"), "{failure}");
}

#[test]
fn what_was_captured_goes_on_though_nothing_is_staged_any_more() {
    for presence in [absent(), Presence::NotExpected("quiet".into())] {
        let mut world = World::new().stage("a:Utf8");
        world.fate = Fate::Throttled;
        world.look(Trigger::FirstSeen);
        assert_eq!(world.stream.phase, Phase::Pending);
        (world.staged, world.presence) = (None, presence);
        world.signature += 1;
        world.look(Trigger::Changed);
        assert_eq!(
            (world.stream.phase, world.stored()),
            (Phase::Synced, Some(schema("a:Utf8")))
        );
        assert_eq!(world.stream.attempts, 0, "a success ends the count");
    }
}
