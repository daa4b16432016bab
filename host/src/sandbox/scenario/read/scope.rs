//! Which part of what happened an expectation is about.

use std::time::Duration;

use super::{Reader, Streams, stream_of};
use crate::config::{Problem, Settings};
use crate::sandbox::scenario::expectation::{Bounds, Expected, Scope};
use crate::sandbox::scenario::file;
use crate::stream::StreamId;

impl Reader<'_> {
    pub(super) fn scope(
        &self,
        number: &str,
        written: &file::Expect,
        known: &Streams,
        settings: &Settings,
    ) -> Result<Scope, Problem> {
        let problem =
            |key: &str, message: &str| self.source.problem(&["expect", number, key], message);
        let stream = written.stream.as_deref().map(stream_of);
        let happens = |stream: &&StreamId| known.values().any(|known| known == *stream);
        if let Some(stream) = stream.as_ref().filter(|stream| !happens(stream)) {
            let known: Vec<_> = known.keys().map(String::as_str).collect();
            let message = match known.is_empty() {
                true => format!("nothing happens to a stream `{stream}`, nor to any other"),
                false => format!(
                    "nothing happens to a stream `{stream}`; there is {}",
                    known.join(", ")
                ),
            };
            return Err(problem("stream", &message));
        }
        if let Some(node) = &written.node
            && !self.nodes.iter().any(|known| known.name == *node)
        {
            return Err(problem("node", &self.unknown_node(node)));
        }
        if let Some(policy) = &written.policy
            && !settings.policies.contains_key(policy)
        {
            let known: Vec<_> = settings.policies.keys().map(String::as_str).collect();
            let message = format!(
                "no policy is named `{policy}`; there is {}",
                known.join(", ")
            );
            return Err(problem("policy", &message));
        }
        let (from, until) = (
            written.from.map(Duration::from),
            written.until.map(Duration::from),
        );
        if let (Some(from), Some(until)) = (from, until)
            && until < from
        {
            return Err(problem("until", "ends before it begins"));
        }
        Ok(Scope {
            stream,
            node: written.node.clone(),
            role: written.role,
            policy: written.policy.clone(),
            from,
            until,
        })
    }

    /// Refuses keys that say nothing about what is expected.
    pub(super) fn only_what_narrows(
        &self,
        number: &str,
        written: &file::Expect,
        what: &Expected,
    ) -> Result<(), Problem> {
        use Expected::{Budget, Delays, Ends, FailedCalls, Object, Phase, Requests, Verdicts};
        let moment = matches!(what, Phase(..) | Object { .. });
        let by = matches!(what, Phase(..));
        let window = !matches!(what, Phase(..) | Object { .. } | Ends(_));
        let decided = matches!(
            what,
            Verdicts { .. } | Delays { .. } | Budget { .. } | FailedCalls(_)
        );
        let streamed = !matches!(what, Object { .. } | Ends(_));
        let of_node = !matches!(what, Object { .. });
        for (key, is_written, has_a_meaning) in [
            ("at", written.at.is_some(), moment),
            ("by", written.by.is_some(), by),
            ("from", written.from.is_some(), window),
            ("until", written.until.is_some(), window),
            ("role", written.role.is_some(), decided),
            ("policy", written.policy.is_some(), decided),
            ("stream", written.stream.is_some(), streamed),
            ("node", written.node.is_some(), of_node),
        ] {
            if is_written && !has_a_meaning {
                let message = format!("`{key}` means nothing for this expectation");
                return Err(self.source.problem(&["expect", number, key], message));
            }
        }
        let bounds = match what {
            Delays { count, .. } | Requests { count, .. } | FailedCalls(count) => *count,
            _ => Bounds::default(),
        };
        if let (Some(min), Some(max)) = (bounds.min, bounds.max)
            && min > max
        {
            let message = format!("no number is at least {min} and at most {max}");
            return Err(self.source.problem(&["expect", number], message));
        }
        Ok(())
    }
}
