//! Once nothing disturbs a stream, its policies don't have it looked at all the time: delays grow, whatever it waits for.

use std::time::Duration;

use super::Found;

/// What is counted: the last hour of a world.
const HOUR: Duration = Duration::from_secs(3_600);

/// Attempts in an hour that are all right: one in half a minute.
const MAX_ATTEMPTS: usize = 120;

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    if history.played.endless {
        let at = history
            .played
            .entries
            .last()
            .map_or(Duration::ZERO, |entry| entry.at);
        let busiest = history
            .pairs()
            .max_by_key(|(node, stream, _)| history.attempts_of(node, stream).count());
        let (node, stream) = busiest.map_or(("", ""), |(node, stream, _)| (node, stream));
        found.tell(
            at,
            node,
            stream,
            "so much happened that the world was stopped",
        );
        return;
    }
    let from = history.scenario.until.saturating_sub(HOUR);
    for (node, stream, _) in history.pairs() {
        let attempts = history.attempts_of(node, stream);
        let count = attempts.filter(|attempt| attempt.at >= from).count();
        if count > MAX_ATTEMPTS && from >= history.scenario.quiet() {
            let text = format!("{count} attempts in its last hour, with nothing left to change");
            found.tell_of_end(node, stream, text);
        }
    }
}
