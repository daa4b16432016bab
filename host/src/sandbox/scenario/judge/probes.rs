//! Faults that also affect the agents' probe of the store, which is rarely intended.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Judge;
use super::store::PROBES;
use crate::sandbox::Event;
use crate::sandbox::scenario::timeline::clock;
use crate::sandbox::store::{Effect, Fault};

impl Judge<'_> {
    /// A note for each fault that had disturbed a probe by this moment, on this node or on any.
    pub(super) fn probes(&self, node: Option<&str>, until: Duration) -> Vec<String> {
        let mut first_met: BTreeMap<usize, (Duration, &str)> = BTreeMap::new();
        for entry in self.entries.iter().take_while(|entry| entry.at <= until) {
            let Event::Request(request) = &entry.event else {
                continue;
            };
            let by_agent = self.scenario.nodes.contains(&request.by)
                && node.is_none_or(|node| node == request.by);
            if by_agent && request.key.starts_with(PROBES) {
                for fault in &request.faults {
                    first_met.entry(*fault).or_insert((entry.at, &request.by));
                }
            }
        }
        let noted = first_met.into_iter().filter_map(|(number, (at, node))| {
            let fault = self.scenario.store.faults.get(number)?;
            let line = self.scenario.fault_lines.get(number).copied();
            (disturbs(fault) && !is_about_probes(fault)).then(|| note(fault, line, at, node))
        });
        noted.collect()
    }
}

/// Whether a probe that meets the fault fails or has another result. A slow one has the same result.
fn disturbs(fault: &Fault) -> bool {
    !matches!(fault.effect, Effect::Slow(_))
}

/// Whether the fault is meant for the probe.
fn is_about_probes(fault: &Fault) -> bool {
    let keys = fault.keys.as_ref();
    keys.is_some_and(|keys| keys.glob().glob().starts_with(PROBES))
}

fn note(fault: &Fault, line: Option<usize>, at: Duration, node: &str) -> String {
    let place = line.map_or_else(String::new, |line| format!(" in line {line}"));
    let at = clock(at);
    let why = match &fault.keys {
        None => format!("the fault{place} has no `keys`, so it also meets"),
        Some(keys) => format!(
            "the `keys` of the fault{place}, `{}`, also match",
            keys.glob().glob()
        ),
    };
    format!(
        "{why} the agent's probe of the store under `{PROBES}` ({node}, first at {at}): an agent writes nothing until its \
         probe has succeeded. To spare the probe, name the keys that are meant, such as `keys = \"app/**\"`"
    )
}
