//! Chains: who decides, who is passed over, and for how long.

use super::*;
use crate::contract::{Presence, Role};

const ABSTAIN: &str = "(call $case (i32.const 4) (i32.const 0) (i32.const 0))";
const TRAP: &str = "unreachable";

/// Policies of one runtime, by what their `check` does.
async fn chain(clock: &Arc<StillClock>, checks: &[(&str, &str)]) -> Chain {
    let runtime = runtime_with(4, Arc::clone(clock));
    let mut policies = Vec::new();
    for (name, check) in checks {
        let mut settings = settings(&Guest::checking(*check));
        settings.name = (*name).to_owned();
        settings.quarantine_after = 2;
        policies.push(runtime.load(&settings).await.unwrap());
    }
    Chain::new(Role::Existence, policies).unwrap()
}

async fn asked(chain: &Chain) -> Asked {
    let world = Arc::new(Memory::default());
    chain
        .ask(
            Question::Existence,
            &facts(),
            &|_| Arc::clone(&world) as Arc<dyn World>,
            &values(),
            None,
        )
        .await
}

fn causes(asked: &Asked) -> Vec<Option<Cause>> {
    let cause = |report: &CallReport| report.verdict.as_ref().err().map(|failure| failure.cause);
    asked.reports.iter().map(cause).collect()
}

#[tokio::test]
async fn the_first_that_does_not_abstain_decides() {
    let clock = Arc::new(StillClock::default());
    let checks = [
        ("a", ABSTAIN),
        ("b", TRAP),
        ("c", "(call $number (i32.const 5))"),
        ("d", "i32.const 1024"),
    ];
    let asked = asked(&chain(&clock, &checks).await).await;
    let unsettled = Presence::Unsettled(Duration::from_millis(5));
    assert_eq!(asked.verdict, Some(Verdict::Existence(unsettled)));
    assert_eq!(asked.by.as_deref(), Some("c"));
    assert_eq!(causes(&asked), [None, Some(Cause::Trap), None]);
}

#[tokio::test]
async fn a_chain_without_a_verdict_leaves_it_to_the_host() {
    let clock = Arc::new(StillClock::default());
    for checks in [&[][..], &[("a", ABSTAIN), ("b", TRAP)]] {
        let asked = asked(&chain(&clock, checks).await).await;
        assert_eq!((asked.verdict, asked.by), (None, None));
        assert_eq!(asked.reports.len(), checks.len());
    }
}

#[tokio::test]
async fn a_policy_that_keeps_failing_is_quarantined_and_tried_again() {
    let clock = Arc::new(StillClock::default());
    let chain = chain(&clock, &[("bad", TRAP), ("good", "i32.const 1024")]).await;
    let guard = chain.policies()[0].guard();
    for _ in 0..2 {
        assert_eq!(causes(&asked(&chain).await), [Some(Cause::Trap), None]);
    }
    for _ in 0..3 {
        let asked = asked(&chain).await;
        assert_eq!(causes(&asked), [Some(Cause::Quarantined), None]);
        assert_eq!(asked.by.as_deref(), Some("good"));
    }
    let status = guard.status(Duration::ZERO);
    assert_eq!(status.last, Some(Cause::Trap));
    assert_eq!(status.standing, Standing::Quarantined(seconds(600)));

    clock.advance(seconds(600));
    assert_eq!(guard.status(seconds(600)).standing, Standing::HalfOpen);
    assert_eq!(causes(&asked(&chain).await), [Some(Cause::Trap), None]);
    assert_eq!(
        causes(&asked(&chain).await),
        [Some(Cause::Quarantined), None]
    );
}

#[tokio::test]
async fn a_policy_must_fill_the_chains_role() {
    let guest = Guest {
        world: "retry-policy",
        ..Guest::default()
    };
    let error = Chain::new(Role::Existence, vec![load(&guest).await]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "policy `hostile` does not fill the role existence: it fills retry"
    );
}
