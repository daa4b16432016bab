//! Where decisions came out differently, in groups.

use std::collections::BTreeMap;

use serde::Serialize;

use super::compare::{Comparison, Difference};
use super::words;
use crate::contract::{Facts, Role};
use crate::digest::Digest;
use crate::policy::WorldCall;
use crate::sandbox::record::read::Recorded;

/// What came of a replay.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Recorded decisions.
    pub decisions: u64,
    /// Those that came out as they did.
    pub same: u64,
    /// Those that did not.
    pub different: u64,
    /// Those of which nothing can be said, by the reason.
    pub left: Vec<Left>,
    /// Decisions that were made while it was recorded and are not in it: the disk did not keep up, or they were too large.
    pub unrecorded: u64,
    /// Policies that another component decided for.
    pub replaced: Vec<Replaced>,
    /// How they differ, the most frequent first.
    pub groups: Vec<Group>,
    /// What is to be known of the recording itself.
    pub warnings: Vec<String>,
}

/// Decisions that can't be compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Why.
    pub why: &'static str,
    /// How many.
    pub count: u64,
}

/// A policy with another component than it was recorded with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Replaced {
    /// Its name.
    pub policy: String,
    /// The component's digest then.
    pub recorded: Digest,
    /// And now.
    pub replayed: Digest,
}

/// Decisions that differ alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// The policy.
    pub policy: String,
    /// The role in which it was asked.
    pub role: Role,
    /// What differs.
    pub aspect: Aspect,
    /// The kind of the recorded outcome.
    pub recorded: String,
    /// The kind of the new one.
    pub replayed: String,
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub example: Box<Example>,
}

/// What differs. Of several things, the first in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aspect {
    /// It asked for something that was not recorded, so nobody knows what it would have said.
    Diverged,
    /// The verdict, with all that it carries.
    Verdict,
    /// It did not write an object that it wrote.
    Writes,
    /// What it read and changed of its state.
    State,
    /// The fuel that the same component took on the same engine: it is not deterministic.
    Fuel,
}

/// One decision.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Example {
    /// File and line.
    pub at: String,
    /// What it was told.
    pub facts: Facts,
    /// The recorded outcome.
    pub recorded: String,
    /// The new one.
    pub replayed: String,
    /// The call that was not recorded, or the write that was not made again.
    pub call: Option<String>,
    /// The fuel of both, where that differs.
    pub fuel: Option<FuelUsed>,
    /// The recorded calls.
    pub calls: Vec<WorldCall>,
}

/// The fuel of a decision, then and now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct FuelUsed {
    pub recorded: u64,
    pub replayed: u64,
}

/// What makes a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    policy: String,
    role: Role,
    aspect: Aspect,
    recorded: String,
    replayed: String,
}

/// Counts decisions, in the order in which they were recorded.
#[derive(Debug, Default)]
pub(super) struct Count {
    report: Report,
    left: BTreeMap<&'static str, u64>,
    groups: BTreeMap<Key, (u64, Box<Example>)>,
}

impl Count {
    pub(super) fn add(&mut self, recorded: &Recorded, comparison: Comparison) {
        self.report.decisions += 1;
        match comparison {
            Comparison::Same => self.report.same += 1,
            Comparison::Left(why) => *self.left.entry(why).or_default() += 1,
            Comparison::Different(difference) => {
                self.report.different += 1;
                self.group(recorded, difference);
            }
        }
    }

    fn group(&mut self, recorded: &Recorded, difference: Difference) {
        let key = Key {
            policy: recorded.policy.name.clone(),
            role: recorded.decision.question.role(),
            aspect: difference.aspect,
            recorded: words::kind(&recorded.decision.outcome),
            replayed: difference.kind,
        };
        let group = self.groups.entry(key).or_insert_with(|| {
            let example = Example {
                at: format!("{}:{}", recorded.path.display(), recorded.line),
                facts: recorded.decision.facts.clone(),
                recorded: words::whole(&recorded.decision.outcome),
                replayed: difference.whole,
                call: difference.call.map(|ask| ask.to_string()),
                fuel: difference.fuel,
                calls: recorded.decision.calls.clone(),
            };
            (0, Box::new(example))
        });
        group.0 += 1;
    }

    /// The report; what is known of the recording as a whole is put in by the caller.
    pub(super) fn finish(self) -> Report {
        let mut groups: Vec<_> = self
            .groups
            .into_iter()
            .map(|(key, (count, example))| Group {
                policy: key.policy,
                role: key.role,
                aspect: key.aspect,
                recorded: key.recorded,
                replayed: key.replayed,
                count,
                example,
            })
            .collect();
        // Stable: equally frequent ones stay in the order of their keys.
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        let left = self.left.into_iter();
        Report {
            groups,
            left: left.map(|(why, count)| Left { why, count }).collect(),
            ..self.report
        }
    }
}
