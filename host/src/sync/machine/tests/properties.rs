//! Whatever happens to a stream: random moves of everybody around it.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Move {
    Stage(&'static str),
    Unstage,
    NodeWrites(&'static str),
    NodeLosesIt,
    Corrupts,
    DeleteStream,
    CreateStream,
    Reachable(bool),
    Fate(Fate),
    Say(Presence),
    Choose(Choice),
    Decide(RetryDecision),
    Peers(Vec<&'static str>),
    Look(Trigger),
    Restart,
}

const FIELDS: [&str; 5] = ["a:Utf8", "a:Int64", "b:Utf8", "a:Utf8 c:Boolean", ""];

fn fields() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&FIELDS[..])
}

fn a_move() -> impl Strategy<Value = Move> {
    let reason = || "because".to_owned();
    let fates = [
        Fate::AnswerLost,
        Fate::RequestLost,
        Fate::RefusedAfterwards,
        Fate::Throttled,
    ];
    let triggers = [
        Trigger::Changed,
        Trigger::Scheduled,
        Trigger::Requested,
        Trigger::Verification,
    ];
    let sayings = [
        Presence::Present,
        Presence::Absent(reason()),
        Presence::NotExpected(reason()),
        Presence::Unsettled(Duration::from_secs(7)),
    ];
    let decisions = [
        RetryDecision::After(Duration::ZERO),
        RetryDecision::OnChange,
        RetryDecision::Abandon(reason()),
        RetryDecision::Abstain,
    ];
    let choice = prop_oneof![
        Just(Choice::Peers),
        Just(Choice::Skip(reason())),
        fields().prop_map(|fields| Choice::Document(fields.into()))
    ];
    prop_oneof![
        3 => fields().prop_map(Move::Stage),
        1 => Just(Move::Unstage),
        2 => fields().prop_map(Move::NodeWrites),
        1 => Just(Move::NodeLosesIt),
        1 => Just(Move::Corrupts),
        1 => Just(Move::DeleteStream),
        1 => Just(Move::CreateStream),
        1 => any::<bool>().prop_map(Move::Reachable),
        3 => proptest::sample::select(fates.to_vec()).prop_map(Move::Fate),
        2 => proptest::sample::select(sayings.to_vec()).prop_map(Move::Say),
        1 => choice.prop_map(Move::Choose),
        1 => proptest::sample::select(decisions.to_vec()).prop_map(Move::Decide),
        1 => proptest::collection::vec(fields(), 0..3).prop_map(Move::Peers),
        8 => proptest::sample::select(triggers.to_vec()).prop_map(Move::Look),
        2 => Just(Move::Restart),
    ]
}

fn play(world: &mut World, step: Move) {
    match step {
        Move::Stage(fields) => world.restage(fields),
        Move::Unstage => (world.staged, world.signature) = (None, world.signature + 1),
        Move::NodeWrites(fields) => world.store(Stored::Schema(schema(fields))),
        Move::NodeLosesIt => world.stored = None,
        Move::Corrupts => world.store(Stored::Garbage),
        Move::DeleteStream => (world.marker, world.stored) = (None, None),
        Move::CreateStream => world.marker = Some(world.now.as_millis()),
        Move::Reachable(reachable) => world.reachable = reachable,
        Move::Fate(fate) => world.fate = fate,
        Move::Say(presence) => world.presence = presence,
        Move::Choose(choice) => world.choice = choice,
        Move::Decide(decision) => world.decision = decision,
        Move::Peers(peers) => world.peers = peers.into_iter().map(schema).collect(),
        Move::Look(trigger) => world.look(trigger),
        Move::Restart => world.restart(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn whatever_happens_nothing_is_lost_and_faults_end_in_a_settled_stream(
        moves in proptest::collection::vec(a_move(), 1..60),
        repair in any::<bool>(),
        allow_new_fields in any::<bool>(),
    ) {
        let mut world = World::new();
        world.rules = Rules { repair: if repair { Repair::All } else { Repair::Off }, allow_new_fields, ..Rules::default() };
        world.look(Trigger::FirstSeen);
        for step in moves {
            play(&mut world, step);
            world.assert_sound();
        }

        // The faults stop, and a schema that everybody can merge is staged for a stream that exists.
        world.marker.get_or_insert(1_000);
        (world.reachable, world.fate, world.presence) = (true, Fate::Honest, Presence::Present);
        (world.peers, world.stored) = (vec![], None);
        world.decision = RetryDecision::After(Duration::from_secs(1));
        world.restage("fresh:Utf8");
        for trigger in [Trigger::Requested, Trigger::Scheduled, Trigger::Requested, Trigger::Scheduled] {
            world.look(trigger);
        }
        world.assert_sound();
        prop_assert_eq!(world.stream.phase, Phase::Synced);
        prop_assert!(world.stored().unwrap().covers(&schema("fresh:Utf8")));
    }
}
