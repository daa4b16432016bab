//! Where a fallback may be placed, and what it may bring.

use super::*;

#[test]
fn a_fallback_never_replaces_an_object() {
    for stored in [Stored::Schema(schema("z:Utf8")), Stored::Garbage] {
        let mut world = World::new();
        world.presence = absent();
        world.peers = vec![schema("a:Utf8")];
        world.store(stored.clone());
        world.look(Trigger::FirstSeen);
        assert_eq!(
            world.stored.as_ref().map(|(stored, _)| stored),
            Some(&stored)
        );
        let expected = if stored == Stored::Garbage {
            Phase::Conflicted
        } else {
            Phase::Synced
        };
        assert_eq!(world.stream.phase, expected);
    }
}

#[test]
fn a_fallback_that_brings_new_fields_is_refused_unless_the_operator_lifts_it() {
    for (lifted, puts) in [(false, 0), (true, 1)] {
        let mut world = World::new();
        world.presence = absent();
        world.choice = Choice::Document("new:Utf8".into());
        world.rules.allow_new_fields = lifted;
        world.look(Trigger::FirstSeen);
        assert_eq!(world.puts, puts);
    }
}

#[test]
fn only_named_schemas_and_documents_may_ever_bring_new_fields() {
    for (choice, puts) in [
        (Choice::Named("new:Utf8".into()), 1),
        (Choice::Object("new:Utf8".into()), 0),
    ] {
        let mut world = World::new();
        (world.presence, world.choice) = (absent(), choice.clone());
        world.rules.allow_new_fields = true;
        world.look(Trigger::FirstSeen);
        assert_eq!(world.puts, puts, "{choice:?}");
        let told = |note: &Note| note.level == Level::Warning && note.text.contains("`new`");
        assert_eq!(world.notes.iter().any(told), puts == 0, "{:?}", world.notes);
    }
}

#[test]
fn streams_of_the_nodes_own_never_get_a_named_schema() {
    for (internal, phase) in [(true, Phase::Awaiting), (false, Phase::Provisional)] {
        let mut world = World::new();
        (world.presence, world.choice) = (absent(), Choice::Named("p:Utf8".into()));
        (world.rules.internal, world.peers) = (internal, vec![schema("p:Utf8")]);
        world.look(Trigger::FirstSeen);
        assert_eq!(
            (world.stream.phase, world.puts),
            (phase, u32::from(!internal))
        );
    }
}

#[test]
fn no_fallback_is_placed_while_a_schema_is_staged() {
    let mut world = World::new().stage("a:Utf8");
    (world.presence, world.peers) = (absent(), vec![schema("p:Utf8")]);
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Awaiting, 0));
}

#[test]
fn a_lifted_fallback_still_may_not_contradict_the_peers() {
    let mut world = World::new();
    world.presence = absent();
    world.choice = Choice::Document("a:Utf8".into());
    world.rules.allow_new_fields = true;
    world.peers = vec![schema("a:Int64")];
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Awaiting, 0));
}

#[test]
fn no_fallback_is_placed_while_the_peers_are_not_wholly_known() {
    let mut world = World::new();
    world.presence = absent();
    world.peers_complete = false;
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Awaiting, 0));
}

#[test]
fn no_fallback_is_placed_where_the_true_schema_is_known() {
    let mut world = World::new().stage("a:Utf8");
    world.rules.repair = Repair::Off;
    world.look(Trigger::FirstSeen);
    (world.staged, world.stored, world.presence) = (None, None, absent());
    world.peers = vec![schema("a:Utf8")];
    world.signature += 1;
    world.look(Trigger::Verification);
    assert_eq!((world.stream.phase, world.puts), (Phase::Awaiting, 1));
    assert!(
        world
            .stream
            .last_failure
            .unwrap()
            .to_string()
            .contains("--repair")
    );
}
