//! How long a stream waits, between the bounds that the operator sets.

use super::*;

#[test]
fn delays_are_clamped_and_unsettled_verdicts_add_up() {
    let mut world = World::new().stage("a:Utf8");
    world.presence = Presence::Unsettled(Duration::from_millis(1));
    world.look(Trigger::FirstSeen);
    assert_eq!(world.stream.wake, Some(NOW.plus(world.rules.min_delay)));
    world.presence = Presence::Unsettled(Duration::from_secs(3600));
    world.look(Trigger::Scheduled);
    assert_eq!(world.stream.phase, Phase::Idle, "over ten minutes in all");

    let mut world = World::new().stage("a:Utf8");
    (world.reachable, world.decision) = (false, RetryDecision::After(Duration::from_secs(86_400)));
    world.look(Trigger::FirstSeen);
    assert_eq!(world.stream.wake, Some(NOW.plus(world.rules.max_delay)));
}

#[test]
fn unsettled_verdicts_add_up_to_ten_minutes_in_a_row() {
    let minutes = |minutes: u64| Presence::Unsettled(Duration::from_secs(minutes * 60));
    let mut world = World::new();
    (world.presence, world.choice) = (minutes(6), Choice::Skip("no".into()));
    world.look(Trigger::FirstSeen);
    world.presence = absent();
    world.look(Trigger::Requested);
    for part in [6, 4] {
        world.presence = minutes(part);
        world.look(Trigger::Requested);
        assert_eq!(world.stream.phase, Phase::Awaiting, "begun anew in between");
    }
    world.presence = minutes(0);
    world.look(Trigger::Requested);
    assert_eq!(world.stream.phase, Phase::Idle, "the shortest delay more");
    let told = |note: &Note| note.level == Level::Warning && note.text.contains("unsettled for");
    assert!(world.notes.iter().any(told), "{:?}", world.notes);
}

#[test]
fn without_a_retry_policy_the_delay_grows_with_the_failed_attempts() {
    let rules = Rules::default();
    let bounds = |attempts: u32| {
        let delays = (0..2_000_u64).map(|number| {
            let moment = Moment {
                now: NOW,
                entropy: number * 7_919,
                rules: &rules,
            };
            let failure = Failure::Other("down".into());
            let mut stream = doing(Phase::Pending, Activity::AskingRetry(failure));
            stream.attempts = attempts;
            let decided = Event::Decided(RetryDecision::Abstain);
            stream.step(decided, moment).unwrap();
            assert_eq!(stream.phase, Phase::Pending, "never abandoned");
            stream.wake.unwrap().since(NOW)
        });
        let delays: Vec<_> = delays.collect();
        (*delays.iter().min().unwrap(), *delays.iter().max().unwrap())
    };
    let mut ceiling = rules.min_delay;
    for attempts in 1..=40 {
        ceiling = (2 * ceiling).min(rules.max_delay);
        let (shortest, longest) = bounds(attempts);
        assert!(
            shortest >= rules.min_delay && shortest < rules.min_delay + ceiling / 50,
            "{shortest:?}"
        );
        assert!(
            longest <= ceiling && longest > ceiling / 100 * 97,
            "{longest:?}"
        );
    }
    assert_eq!(ceiling, rules.max_delay);
}

#[test]
fn without_a_retry_policy_a_schema_that_stays_absent_is_waited_for_longer_and_longer() {
    let mut world = World::new();
    (world.presence, world.choice) = (absent(), Choice::Skip("no".into()));
    world.decision = RetryDecision::Abstain;
    for checks in 1..=20_u32 {
        world.look(Trigger::Scheduled);
        let delay = world.stream.previous_delay.unwrap();
        let ceiling = world.rules.min_delay * 2_u32.saturating_pow(checks);
        assert!(delay <= ceiling.min(world.rules.max_delay), "{delay:?}");
        assert_eq!(world.stream.absences, checks);
    }
}

#[test]
fn a_clock_that_stepped_back_over_a_restart_keeps_no_stream_waiting() {
    let mut world = World::new();
    world.stream.wake = Some(NOW.plus(Duration::from_secs(30 * 86_400)));
    world.restart();
    assert!(world.stream.wake.unwrap() <= NOW.plus(world.rules.recheck.max(world.rules.max_delay)));
}

#[test]
fn waiting_for_a_change_ends_with_the_hourly_recheck_at_the_latest() {
    let mut world = World::new().stage("a:Utf8");
    (world.reachable, world.decision) = (false, RetryDecision::OnChange);
    world.look(Trigger::FirstSeen);
    assert_eq!(
        world.stream.wake,
        Some(NOW.plus(Duration::from_secs(3_600)))
    );
}

#[test]
fn restaging_the_same_schema_does_not_cut_a_delay_short() {
    let mut world = World::new().stage("a:Utf8 b:Int64");
    world.fate = Fate::Throttled;
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Pending, 1));
    world.restage("b:Int64 a:Utf8");
    world.look(Trigger::Changed);
    assert_eq!(world.puts, 1);
    world.look(Trigger::Scheduled);
    assert_eq!(world.stream.phase, Phase::Synced);
}

#[test]
fn what_it_was_too_early_to_tell_of_is_asked_about_again_though_something_older_waits() {
    let mut world = World::new().stage("a:Utf8");
    (world.reachable, world.decision) = (false, RetryDecision::After(Duration::from_secs(60)));
    world.look(Trigger::FirstSeen);
    assert_eq!(world.stream.phase, Phase::Pending);
    world.presence = Presence::Unsettled(Duration::from_secs(1));
    world.restage("a:Utf8 b:Int64");
    world.look(Trigger::Changed);
    (world.reachable, world.presence) = (true, Presence::Present);
    world.look(Trigger::Scheduled);
    assert_eq!(world.stored(), Some(schema("a:Utf8 b:Int64")));
}

#[test]
fn a_lost_object_is_waited_for_ever_longer() {
    let mut world = World::new().stage("a:Utf8");
    world.rules.repair = Repair::Off;
    world.look(Trigger::FirstSeen);
    (world.staged, world.stored) = (None, None);
    world.presence = Presence::NotExpected("nothing is staged".into());
    world.look(Trigger::Verification);
    assert_eq!(world.stream.phase, Phase::Awaiting);
    let before = world.stream.absences;
    world.look(Trigger::Scheduled);
    assert_eq!(world.stream.absences, before + 1, "policies count with it");
}

#[test]
fn a_torn_file_is_not_read_again_at_once_though_the_stored_object_is_to_be_looked_at() {
    let mut stream = doing(Phase::Synced, Activity::ReadingStaged(Trigger::Scheduled));
    stream.look = Some(NOW);
    let rules = Rules::default();
    let moment = Moment {
        now: NOW,
        entropy: 1,
        rules: &rules,
    };
    stream.step(Event::Read(Staged::Torn), moment).unwrap();
    assert_eq!(stream.next_wake(), Some(NOW.plus(rules.min_delay)));
}
