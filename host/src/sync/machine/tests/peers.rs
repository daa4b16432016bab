//! What is published against the schemas of the other nodes.

use super::*;

#[test]
fn a_peer_of_another_type_is_named_and_nothing_is_written() {
    let mut world = World::new().stage("a:Utf8");
    world.peers = vec![schema("a:Int64")];
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Conflicted, 0));
    let failure = world.stream.last_failure.unwrap().to_string();
    for part in [
        "`a`",
        "Utf8 on this node (n1)",
        "Int64 on node n2",
        "a node that restarts now will not start",
        "tidegate resolve",
    ] {
        assert!(failure.contains(part), "{failure}");
    }
}

/// What a stream does that gets a new field every minute, for a quarter of an hour: the minutes of its comparisons.
fn minutes_of_comparisons(entropy: u64) -> Vec<u32> {
    let mut world = World::new();
    world.entropy = entropy;
    let mut minutes = vec![];
    for minute in 0..16 {
        let before = world.peers_asked;
        world.restage(&format!("a:Utf8 f{minute}:Utf8"));
        world.look(Trigger::Changed);
        world.now = NOW.plus(MINUTE * (minute + 1));
        if world.stream.next_wake().is_some_and(|at| at <= world.now) {
            world.look(Trigger::Scheduled);
        }
        if world.peers_asked > before {
            minutes.push(minute);
        }
    }
    assert_eq!(world.puts, 16);
    minutes
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn new_fields_are_compared_within_the_interval_and_at_another_time_on_each_node() {
    // The interval is 5 minutes: 2.5 to 5 minutes lie between two comparisons.
    assert_eq!(minutes_of_comparisons(0), [0, 2, 5, 8, 11, 14]);
    assert_eq!(minutes_of_comparisons(150_000), [0, 5, 10, 15]);

    // A clock that was set back by years does not put the next comparison off until then.
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    world.now = Timestamp::from_millis(NOW.as_millis() / 2);
    world.restage("a:Utf8 b:Utf8");
    world.look(Trigger::Changed);
    assert_eq!(world.peers_asked, 2);
}

/// Lets time pass to the stream's next timer, and looks.
fn wait(world: &mut World) {
    let next = world.stream.next_wake().expect("nothing is planned");
    world.now = world.now.max(next);
    world.look(Trigger::Scheduled);
}

#[test]
fn a_schema_that_the_node_published_itself_is_compared_within_the_interval() {
    let mut world = World::new().stage("a:Utf8").storing("a:Utf8");
    world.peers = vec![schema("a:Int64")];
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 0));
    let due = world.stream.peers.due.expect("a comparison is planned");
    assert!(due <= NOW.plus(world.rules.check_peers_interval));
    wait(&mut world);
    assert_eq!(world.stream.phase, Phase::Conflicted);
    let alerts = |note: &&Note| note.level == Level::Alert;
    assert_eq!(world.notes.iter().filter(alerts).count(), 1);
    // The same meaning is compared no second time once the nodes agree.
    world.peers = vec![schema("a:Utf8")];
    wait(&mut world);
    assert_eq!(world.stream.phase, Phase::Synced);
    let asked = world.peers_asked;
    world.restage("a:Utf8");
    world.look(Trigger::Changed);
    assert_eq!(world.stream.peers.due, None);
    assert_eq!(world.peers_asked, asked);
}

#[test]
fn a_conflict_between_nodes_ends_when_the_nodes_agree_and_in_no_other_way() {
    let mut world = World::new().stage("mixed:Float64");
    world.peers = vec![schema("mixed:Utf8")];
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Conflicted, 0));
    // The node publishes the object itself: it covers what is staged, and the conflict still exists.
    world.store(Stored::Schema(schema("mixed:Float64 other:Utf8")));
    for trigger in [
        Trigger::Scheduled,
        Trigger::Verification,
        Trigger::Requested,
        Trigger::Changed,
    ] {
        world.now = world.now.plus(world.rules.max_delay);
        world.restage("mixed:Float64");
        world.look(trigger);
        assert_eq!(world.stream.phase, Phase::Conflicted, "{trigger:?}");
    }
    world.run(Event::StagingGone);
    world.restart();
    assert_eq!(world.stream.phase, Phase::Conflicted);
    // Neither a policy nor a store that fails ends it.
    world.decision = RetryDecision::Abandon("tired".into());
    wait(&mut world);
    world.reachable = false;
    wait(&mut world);
    assert_eq!(world.stream.phase, Phase::Conflicted);
    world.reachable = true;
    world.peers = vec![schema("mixed:Float64")];
    wait(&mut world);
    assert_eq!(world.stream.phase, Phase::Synced);
    assert_eq!(world.stream.last_failure, None);
}

#[test]
fn peers_that_could_not_all_be_read_end_no_conflict() {
    let mut world = World::new().stage("a:Utf8").storing("a:Utf8");
    world.peers = vec![schema("a:Int64")];
    world.look(Trigger::FirstSeen);
    wait(&mut world);
    (world.peers, world.peers_complete) = (vec![], false);
    wait(&mut world);
    assert_eq!(world.stream.phase, Phase::Conflicted);
    world.peers_complete = true;
    wait(&mut world);
    assert_eq!(world.stream.phase, Phase::Synced);
}

#[test]
fn two_other_nodes_that_disagree_are_reported_and_keep_nothing_from_being_published() {
    let mut world = World::new().stage("mine:Utf8");
    world.peers = vec![schema("a:Utf8"), schema("a:Int64")];
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Conflicted, 1));
    let failure = world.stream.last_failure.clone().unwrap().to_string();
    assert!(
        failure.contains("Utf8 on node n2") && failure.contains("Int64 on node n3"),
        "{failure}"
    );
    world.restage("mine:Utf8 more:Utf8");
    world.look(Trigger::Changed);
    assert_eq!((world.stream.phase, world.puts), (Phase::Conflicted, 2));
}

#[test]
fn a_conflict_is_compared_again_within_the_interval_however_long_the_policies_wait() {
    let mut world = World::new().stage("a:Utf8").storing("a:Utf8");
    (world.peers, world.decision) = (vec![schema("a:Int64")], RetryDecision::OnChange);
    world.look(Trigger::FirstSeen);
    wait(&mut world);
    let next = world.stream.next_wake().unwrap();
    assert!(next <= world.now.plus(world.rules.check_peers_interval));
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

#[test]
fn what_is_stored_is_compared_and_not_what_the_ledger_has() {
    let mut world = World::new().stage("mixed:Utf8");
    world.peers = vec![schema("mixed:Utf8")];
    world.look(Trigger::FirstSeen);
    assert_eq!(world.stream.phase, Phase::Synced);
    // The node goes on with its former type, and nothing of that was seen in staging.
    world.store(Stored::Schema(schema("mixed:Float64")));
    world.run(Event::CompareNodes);
    assert_eq!(world.stream.phase, Phase::Conflicted);
    let failure = world.stream.last_failure.clone().unwrap().to_string();
    assert!(failure.contains("Float64 on this node"), "{failure}");
    // For as long as it lasts, also where the staged schema and the stored one differ.
    for _ in 0..4 {
        wait(&mut world);
        assert_eq!(world.stream.phase, Phase::Conflicted);
        assert!(world.stream.peers.conflict.is_some());
    }
}

#[test]
fn a_clash_with_the_store_does_not_hide_that_the_node_writes_its_type_back() {
    // An operator has resolved a conflict, and the node still has the former type.
    let mut world = World::new().stage("mixed:Float64").storing("mixed:Utf8");
    world.peers = vec![schema("mixed:Utf8")];
    world.look(Trigger::FirstSeen);
    assert_eq!(world.stream.phase, Phase::Conflicted);
    // It publishes that by itself, and unlinks its file.
    world.store(Stored::Schema(schema("mixed:Float64")));
    world.unstage();
    world.presence = Presence::NotExpected("nothing is staged".into());
    world.look(Trigger::Changed);
    if world.stream.phase != Phase::Conflicted {
        wait(&mut world);
    }
    assert_eq!(world.stream.phase, Phase::Conflicted);
    let failure = world.stream.last_failure.unwrap().to_string();
    assert!(
        failure.contains("Float64 on this node (n1)") && failure.contains("Utf8 on node n2"),
        "{failure}"
    );
}

#[test]
fn a_conflict_that_was_ended_in_the_store_is_over() {
    let mut world = World::new().stage("mixed:Float64");
    world.look(Trigger::FirstSeen);
    world.peers = vec![schema("mixed:Utf8")];
    world.run(Event::CompareNodes);
    assert_eq!(world.stream.phase, Phase::Conflicted);
    // An operator changed the object by hand, and the node stages what fits.
    world.store(Stored::Schema(schema("mixed:Utf8")));
    world.restage("mixed:Utf8");
    world.look(Trigger::Changed);
    assert_eq!(world.stream.phase, Phase::Synced);
    assert_eq!((world.stream.peers.conflict.clone(), world.puts), (None, 1));
}

#[test]
fn a_stored_type_that_nothing_staged_explains_can_be_accepted() {
    let mut world = World::new().stage("mixed:Float64");
    world.look(Trigger::FirstSeen);
    world.peers = vec![schema("mixed:Utf8")];
    world.run(Event::CompareNodes);
    world.store(Stored::Schema(schema("mixed:Utf8")));
    world.unstage();
    world.look(Trigger::Changed);
    wait(&mut world);
    assert_eq!(world.stream.peers.conflict, None);
    let failure = world.stream.last_failure.clone().unwrap().to_string();
    assert!(
        failure.contains("`tidegate resolve` accepts it"),
        "{failure}"
    );
}

#[test]
fn a_peer_that_is_not_a_schema_ends_no_conflict_and_lets_nothing_through() {
    let mut world = World::new().stage("mixed:Float64");
    world.peers = vec![schema("mixed:Utf8")];
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Conflicted, 0));
    world.peers.clear();
    world.unreadable_peers = vec![("peer0".to_owned(), "not JSON".to_owned())];
    for trigger in [
        Trigger::Scheduled,
        Trigger::Requested,
        Trigger::Verification,
    ] {
        world.now = world.now.plus(world.rules.max_delay);
        world.look(trigger);
        assert_eq!((world.stream.phase, world.puts), (Phase::Conflicted, 0));
    }
    world.unreadable_peers.clear();
    wait(&mut world);
    assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 1));
}

#[test]
fn a_peer_that_never_was_a_schema_keeps_no_conflict_with_another_alive() {
    let mut world = World::new().stage("mixed:Float64");
    world.peers = vec![schema("mixed:Utf8")];
    world.unreadable_peers = vec![("empty".to_owned(), "empty".to_owned())];
    world.look(Trigger::FirstSeen);
    assert_eq!(world.stream.phase, Phase::Conflicted);
    world.peers = vec![schema("mixed:Float64")];
    wait(&mut world);
    assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 1));
}

#[test]
fn a_peer_that_is_not_a_schema_keeps_nothing_from_being_published() {
    let mut world = World::new().stage("a:Utf8");
    world.unreadable_peers = vec![("peer0".to_owned(), "not JSON".to_owned())];
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 1));
}

#[test]
fn a_staged_file_that_vanishes_unjudged_may_have_been_published() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    world.peers = vec![schema("b:Int64")];
    world.presence = Presence::Unsettled(Duration::from_secs(1));
    world.restage("a:Utf8 b:Utf8");
    world.look(Trigger::Changed);
    // The node published it itself before it could be judged.
    world.store(Stored::Schema(schema("a:Utf8 b:Utf8")));
    world.unstage();
    world.look(Trigger::Changed);
    let confirmed = world.stream.confirmed.clone().unwrap().document.schema;
    assert_eq!(confirmed, schema("a:Utf8 b:Utf8"));
    let due = world.stream.peers.due.expect("a comparison is planned");
    assert!(due <= world.now.plus(world.rules.check_peers_interval));
    wait(&mut world);
    while world.stream.phase == Phase::Synced && world.stream.next_wake().is_some() {
        wait(&mut world);
    }
    assert_eq!(world.stream.phase, Phase::Conflicted);
}

#[test]
fn a_request_compares_at_once_what_was_never_compared() {
    let mut world = World::new().stage("a:Utf8").storing("a:Utf8");
    world.peers = vec![schema("a:Int64")];
    world.look(Trigger::Requested);
    assert_eq!(world.stream.phase, Phase::Conflicted);

    let mut world = World::new().stage("a:Utf8").storing("a:Utf8");
    world.look(Trigger::Requested);
    assert_eq!((world.stream.phase, world.peers_asked), (Phase::Synced, 1));
    world.look(Trigger::Requested);
    assert_eq!((world.stream.peers.due, world.peers_asked), (None, 1));
}

#[test]
fn comparisons_of_a_known_conflict_leave_the_policies_delay_alone() {
    let mut world = World::new().stage("a:Utf8").storing("a:Utf8");
    world.peers = vec![schema("a:Int64")];
    world.decision = RetryDecision::After(Duration::from_secs(3_600));
    world.look(Trigger::Requested);
    let (wake, attempts) = (world.stream.wake, world.stream.attempts);
    for _ in 0..3 {
        wait(&mut world);
        assert_eq!(world.stream.phase, Phase::Conflicted);
        assert_eq!((world.stream.wake, world.stream.attempts), (wake, attempts));
    }
}
