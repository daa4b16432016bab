//! What becomes of a fallback that stands.

use super::*;

#[test]
fn the_true_schema_takes_over_a_fallback_by_compare_and_swap() {
    let mut world = World::new();
    world.presence = absent();
    world.peers = vec![schema("p:Utf8")];
    world.look(Trigger::FirstSeen);
    assert_eq!(
        (world.stream.phase, world.stored()),
        (Phase::Provisional, Some(schema("p:Utf8")))
    );
    world.presence = Presence::Present;
    world.restage("a:Utf8");
    world.look(Trigger::Changed);
    assert_eq!(
        (world.stream.phase, world.stored()),
        (Phase::Synced, Some(schema("a:Utf8 p:Utf8")))
    );
}

#[test]
fn a_fallback_is_looked_at_five_times_a_minute_apart() {
    let mut world = World::new();
    (world.presence, world.peers) = (absent(), vec![schema("p:Utf8")]);
    world.look(Trigger::FirstSeen);
    let mut looks = vec![];
    let mut last = NOW;
    while let Some(look) = world.stream.look {
        looks.push(look.since(last).as_secs());
        (world.now, last) = (look, look);
        world.look(Trigger::Scheduled);
        assert_eq!(world.stream.phase, Phase::Provisional);
        assert!(looks.len() < 10, "looks without an end");
    }
    assert_eq!(looks, [60; 6], "after the write, and five times more");
}

#[test]
fn a_fallback_that_the_node_replaced_is_no_longer_provisional() {
    let mut world = World::new();
    (world.presence, world.peers) = (absent(), vec![schema("p:Utf8")]);
    world.look(Trigger::FirstSeen);
    world.store(Stored::Schema(schema("a:Utf8")));
    world.look(Trigger::Scheduled);
    assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 1));
    assert_eq!(world.stream.source(), Some(&Source::Store));
}

#[test]
fn a_fallback_that_somebody_changed_is_never_replaced_where_the_types_differ() {
    let mut world = World::new();
    (world.presence, world.choice) = (absent(), Choice::Document("a:Int64".into()));
    world.rules.allow_new_fields = true;
    world.look(Trigger::FirstSeen);
    assert_eq!(world.stream.phase, Phase::Provisional);
    world.store(Stored::Schema(schema("a:Int64 b:Utf8")));
    world.presence = Presence::Present;
    world.restage("a:Utf8");
    world.look(Trigger::Changed);
    assert_eq!((world.stream.phase, world.puts), (Phase::Conflicted, 1));
}

#[test]
fn a_fallback_stands_while_it_is_not_known_who_took_it_up() {
    for reachable in [true, false] {
        let mut world = World::new();
        (world.presence, world.choice) = (absent(), Choice::Document("a:Int64".into()));
        world.rules.allow_new_fields = true;
        world.look(Trigger::FirstSeen);
        world.presence = Presence::Present;
        (world.peers_complete, world.peers_reachable) = (false, reachable);
        world.restage("a:Utf8");
        world.look(Trigger::Changed);
        assert_eq!((world.stream.phase, world.puts), (Phase::Pending, 1));
        (world.peers_complete, world.peers_reachable) = (true, true);
        world.look(Trigger::Scheduled);
        assert_eq!(world.stored(), Some(schema("a:Utf8")));
    }
}

#[test]
fn a_fallback_that_contradicts_the_true_schema_gives_way_unless_others_took_it_up() {
    for (peers, phase, stored) in [
        (vec![], Phase::Synced, "a:Utf8"),
        (vec![schema("b:Int64")], Phase::Synced, "a:Utf8 b:Int64"),
        (
            vec![schema("a:Int64")],
            Phase::Conflicted,
            "a:Int64 b:Int64",
        ),
    ] {
        let mut world = World::new();
        world.presence = absent();
        world.choice = Choice::Document("a:Int64 b:Int64".into());
        world.rules.allow_new_fields = true;
        world.look(Trigger::FirstSeen);
        assert_eq!(world.stream.phase, Phase::Provisional);
        (world.presence, world.peers) = (Presence::Present, peers);
        world.restage("a:Utf8");
        world.look(Trigger::Changed);
        assert_eq!(
            (world.stream.phase, world.stored()),
            (phase, Some(schema(stored)))
        );
    }
}

#[test]
fn the_true_schema_in_place_of_a_fallback_may_not_contradict_a_peer_either() {
    let mut world = World::new();
    (world.presence, world.choice) = (absent(), Choice::Document("a:Int64".into()));
    world.rules.allow_new_fields = true;
    world.look(Trigger::FirstSeen);
    (world.presence, world.peers) = (Presence::Present, vec![schema("d:Int64")]);
    world.restage("a:Utf8 d:Utf8");
    world.look(Trigger::Changed);
    assert_eq!((world.stream.phase, world.puts), (Phase::Conflicted, 1));
    let failure = world.stream.last_failure.unwrap().to_string();
    assert!(
        failure.contains("node n2") && failure.contains("`d`"),
        "{failure}"
    );
}

#[test]
fn a_fallback_that_went_missing_is_chosen_anew() {
    let mut world = World::new();
    (world.presence, world.peers) = (absent(), vec![schema("p:Utf8")]);
    world.rules.repair = Repair::All;
    world.look(Trigger::FirstSeen);
    (world.stored, world.peers) = (None, vec![schema("q:Utf8")]);
    world.look(Trigger::Verification);
    assert_eq!(
        (world.stream.phase, world.stored()),
        (Phase::Provisional, Some(schema("q:Utf8")))
    );
    (world.stored, world.choice) = (None, Choice::Skip("no".into()));
    world.look(Trigger::Verification);
    assert_eq!(world.stream.phase, Phase::Awaiting);
    assert_eq!(
        world.stream.source(),
        None,
        "nothing is known to stand there"
    );
}
