//! Guarantee 7, in part: a node's requests stay within its token bucket, those of policies included.

use std::time::Duration;

use super::Found;

/// Clocks of simulations are exact; sums of fractions are not.
const INEXACT: Duration = Duration::from_micros(1);

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    let store = &history.settings().store;
    let interval = Duration::from_secs(1) / store.requests_per_second.get();
    let slack = interval.saturating_mul(store.burst.get() - 1) + INEXACT;
    for node in &history.scenario.nodes {
        let mut sent: Vec<_> = history
            .requests_of(node)
            .map(|(_, request)| (history.life_at(node, request.sent), request.sent))
            .collect();
        sent.sort_unstable();
        let mut full = (0, Duration::ZERO);
        for (life, at) in sent {
            if full.0 != life {
                // An agent that starts has a full bucket.
                full = (life, Duration::ZERO);
            }
            let due = full.1.max(at);
            if due.saturating_sub(at) > slack {
                found.tell(at, node, "", "more requests than its rate and burst allow");
                return;
            }
            full.1 = due.saturating_add(interval);
        }
    }
}
