//! Writes that are refused, lost, or of an outcome that nobody knows.

use super::*;

#[test]
fn a_write_of_unknown_outcome_is_read_back_before_anything_else() {
    for fate in [Fate::AnswerLost, Fate::RefusedAfterwards] {
        for stored in [None, Some("b:Int64")] {
            let mut world = World::new().stage("a:Utf8");
            stored
                .into_iter()
                .for_each(|fields| world.store(Stored::Schema(schema(fields))));
            world.fate = fate;
            world.look(Trigger::FirstSeen);
            assert_eq!(
                (world.stream.phase, world.puts),
                (Phase::Synced, 1),
                "{fate:?} {stored:?}"
            );
            assert_eq!(world.stream.attempts, 0);
        }
    }
}

#[test]
fn a_create_that_is_refused_where_nothing_stands_is_tried_three_times_more() {
    for (refusals, phase, puts) in [(3, Phase::Synced, 4), (4, Phase::Pending, 4)] {
        let mut world = World::new().stage("a:Utf8");
        world.fate = Fate::Refused(refusals);
        world.look(Trigger::FirstSeen);
        assert_eq!(
            (world.stream.phase, world.puts),
            (phase, puts),
            "{refusals}"
        );
    }
}

#[test]
fn a_fallback_that_is_refused_where_nothing_stands_is_tried_three_times_more() {
    let mut world = World::new();
    (world.presence, world.peers) = (absent(), vec![schema("p:Utf8")]);
    world.fate = Fate::Refused(4);
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Awaiting, 4));
    assert_eq!(world.stream.attempts, 1);
    world.fate = Fate::Refused(3);
    world.look(Trigger::Scheduled);
    assert_eq!((world.stream.phase, world.puts), (Phase::Provisional, 8));
}

#[test]
fn a_refused_create_is_not_tried_again_for_a_stream_that_was_deleted() {
    let mut world = World::new().stage("a:Utf8");
    world.fate = Fate::Refused(1);
    world.marker_after_writes = Some(None);
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Gone, 1));
    world.assert_sound();
}

#[test]
fn an_object_that_was_deleted_between_read_and_write_is_created_anew() {
    let mut world = World::new().stage("a:Utf8").storing("b:Int64");
    world.fate = Fate::ObjectLost;
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 2));
    assert_eq!(world.stored(), Some(schema("a:Utf8")));
    assert_eq!(world.stream.attempts, 0);
}

#[test]
fn a_write_that_was_never_done_is_left_to_the_retry_policy() {
    for stored in [None, Some("b:Int64")] {
        let mut world = World::new().stage("a:Utf8");
        stored
            .into_iter()
            .for_each(|fields| world.store(Stored::Schema(schema(fields))));
        world.fate = Fate::RequestLost;
        world.look(Trigger::FirstSeen);
        assert_eq!(
            (world.stream.phase, world.puts, world.stream.attempts),
            (Phase::Pending, 1, 1),
            "{stored:?}"
        );
        assert_eq!(world.stream.intent, None, "its outcome is known by now");
        world.look(Trigger::Scheduled);
        assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 2));
    }
}

#[test]
fn a_fallback_whose_answer_was_lost_is_still_ours() {
    for fate in [Fate::AnswerLost, Fate::RefusedAfterwards] {
        let mut world = World::new();
        (world.presence, world.peers) = (absent(), vec![schema("p:Utf8")]);
        world.fate = fate;
        world.look(Trigger::FirstSeen);
        assert_eq!((world.stream.phase, world.puts), (Phase::Provisional, 1));
        assert_eq!(world.stream.source(), Some(&Source::Peers));
    }
}

#[test]
fn an_intent_survives_a_restart_and_is_read_back_first() {
    for took_effect in [false, true] {
        let mut world = World::new();
        world.stream = Stream {
            intent: Some(intent("a:Utf8", Mode::Create, Source::Local)),
            ..doing(Phase::Pending, Activity::Writing)
        };
        if took_effect {
            world.store(Stored::Schema(schema("a:Utf8")));
        }
        world.restart();
        assert_eq!(
            (world.stream.phase, world.puts),
            (Phase::Synced, u32::from(!took_effect))
        );
        assert_eq!(world.stored(), Some(schema("a:Utf8")));
    }
}

#[test]
fn a_failed_read_back_keeps_the_intent() {
    let mut world = World::new().stage("a:Utf8");
    world.stream = Stream {
        intent: Some(intent("a:Utf8", Mode::Create, Source::Local)),
        sighting: Sighting {
            signature: world.signature,
            ..sighting(0)
        },
        ..doing(Phase::Pending, Activity::Resting)
    };
    world.reachable = false;
    world.restart();
    assert!(world.stream.intent.is_some());
    assert_eq!((world.stream.attempts, world.puts), (1, 0));
    world.reachable = true;
    world.look(Trigger::Scheduled);
    assert_eq!(world.stream.phase, Phase::Synced);
}

#[test]
fn what_is_staged_while_an_outcome_is_unknown_is_read_when_it_is_known() {
    let mut world = World::new().storing("a:Utf8");
    world.stream = Stream {
        phase: Phase::Pending,
        captured: Some(document("a:Utf8")),
        intent: Some(intent("a:Utf8", Mode::Create, Source::Local)),
        ..Stream::unseen()
    };
    world.restage("a:Utf8 b:Utf8");
    world.reachable = false;
    world.look(Trigger::Changed);
    assert!(world.stream.intent.is_some());
    world.reachable = true;
    world.look(Trigger::Scheduled);
    assert_eq!(world.stream.phase, Phase::Synced);
    assert_eq!(world.stored(), Some(schema("a:Utf8 b:Utf8")));
    world.assert_sound();
}

#[test]
fn the_outcome_of_an_unknown_write_is_asked_for_before_anything_else_at_any_look() {
    for trigger in [
        Trigger::FirstSeen,
        Trigger::Changed,
        Trigger::Scheduled,
        Trigger::Requested,
        Trigger::Verification,
    ] {
        let mut stream = Stream {
            intent: Some(intent("a:Utf8", Mode::Create, Source::Local)),
            ..doing(Phase::Pending, Activity::Resting)
        };
        let rules = Rules::default();
        let moment = Moment {
            now: NOW,
            entropy: 0,
            rules: &rules,
        };
        let looked = Event::Looked {
            trigger,
            sighting: sighting(99),
        };
        let effects = stream.step(looked, moment).unwrap();
        assert_eq!(effects, [Effect::Fetch], "{trigger:?}");
    }
}
