//! What is published against the schemas of the other nodes.

use super::*;

#[test]
fn a_peer_of_another_type_is_named_and_nothing_is_written() {
    let mut world = World::new().stage("a:Utf8");
    world.peers = vec![schema("a:Int64")];
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Conflicted, 0));
    assert!(
        world
            .stream
            .last_failure
            .unwrap()
            .to_string()
            .contains("the peer peer")
    );
}

#[test]
fn new_fields_are_compared_with_the_peers_once_in_an_interval_and_on_each_node_at_another_time() {
    const MINUTE: Duration = Duration::from_secs(60);
    // Every minute the stream gets a field. The interval is 5 minutes, and 5 to 7.5 are between two comparisons.
    let compared = |entropy| {
        let mut world = World::new();
        world.entropy = entropy;
        let mut minutes = vec![];
        for minute in 0..16 {
            let before = world.peers_asked;
            world.restage(&format!("a:Utf8 f{minute}:Utf8"));
            world.look(Trigger::Changed);
            world.now = NOW.plus(MINUTE * (minute + 1));
            if world.peers_asked > before {
                minutes.push(minute);
            }
        }
        assert_eq!(world.puts, 16);
        minutes
    };
    assert_eq!(compared(0), [0, 5, 10, 15]);
    assert_eq!(compared(150_000), [0, 8]);

    // A clock that was set back by years does not put the next comparison off until then.
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    world.now = Timestamp::from_millis(NOW.as_millis() / 2);
    world.restage("a:Utf8 b:Utf8");
    world.look(Trigger::Changed);
    assert_eq!(world.peers_asked, 2);
}

#[test]
fn peers_are_compared_once_in_the_interval_and_only_when_something_new_is_published() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    assert_eq!(world.peers_asked, 1);
    world.restage("a:Utf8");
    world.look(Trigger::Changed);
    world.restage("a:Utf8 b:Utf8");
    world.look(Trigger::Changed);
    assert_eq!((world.peers_asked, world.puts), (1, 2), "just now");
    world.now = NOW.plus(world.rules.longest_peers_interval());
    world.look(Trigger::Requested);
    assert_eq!(world.peers_asked, 1, "nothing new");
    world.restage("a:Utf8 c:Utf8");
    world.look(Trigger::Changed);
    assert_eq!((world.peers_asked, world.puts), (2, 3));
    world.now = NOW;
    world.restage("a:Utf8 d:Utf8");
    world.look(Trigger::Changed);
    assert_eq!(world.peers_asked, 3, "the clock stepped back");
}

#[test]
fn peers_are_left_alone_where_the_operator_says_so() {
    let mut world = World::new().stage("a:Utf8");
    (world.rules.check_peers, world.peers) = (false, vec![schema("a:Int64")]);
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.peers_asked), (Phase::Synced, 0));
}

#[test]
fn peers_that_cannot_be_listed_are_told_and_block_nobody() {
    let mut world = World::new().stage("a:Utf8");
    world.peers_reachable = false;
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 1));
    let told = |note: &Note| note.level == Level::Warning && note.text.contains("no listing");
    assert!(world.notes.iter().any(told), "{:?}", world.notes);
}
