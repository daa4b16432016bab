//! What must hold in every world, whatever happens in it: one property a file.

mod captured_kept;
mod comes_to_rest;
mod converges;
mod fallback_gates;
mod health_is_told;
mod independent;
mod looks_again;
mod no_defect;
mod not_resurrected;
mod nothing_dropped;
mod nothing_foreign;
mod one_at_a_time;
mod only_creates;
mod provisional_gives_way;
mod reads_back;
mod refuses_blind_stores;
mod reports_conflicts;
mod restorable;
mod spreads_retries;
mod unsettled_ends;
mod well_formed;
mod within_bounds;
mod within_rate;

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::history::{History, Index};
use super::model::Scenario;
use super::play::Played;
use super::timeline::Focus;
use crate::agent::Loaded;

/// Something that must hold in every world.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Property {
    /// What is no schema is never uploaded, and no agent writes another one's key.
    WellFormed,
    /// Nothing is overwritten without a condition, and a fallback stands only where nothing stood.
    OnlyCreates,
    /// No agent's write drops a field or changes its type.
    NothingDropped,
    /// A write of unknown outcome is read back before anything else is asked about its key.
    ReadsBack,
    /// What was captured ends in the store, or in a conflict.
    CapturedKept,
    /// One stream's trouble keeps no other one from being attended to.
    Independent,
    /// A node's requests stay within its rate.
    WithinRate,
    /// Every delay lies within the operator's bounds.
    WithinBounds,
    /// Verdicts that it is too early to tell come to an end.
    UnsettledEnds,
    /// Nothing is written for a stream that was deleted.
    NotResurrected,
    /// What was confirmed can be restored.
    Restorable,
    /// Nothing of an earlier life of a stream, and nothing that nobody published, is written.
    NothingForeign,
    /// A fallback holds what peers hold, and stands only where its gates let it.
    FallbackGates,
    /// A fallback gives way to the stream's own schema.
    ProvisionalGivesWay,
    /// What was written is looked at again.
    LooksAgain,
    /// A stream is attended to by one attempt at a time.
    OneAtATime,
    /// Policies are told that the store fails.
    HealthIsTold,
    /// Streams that fail together are not all tried again together.
    SpreadsRetries,
    /// Nothing is written to a store that ignores conditions, and no agent ends for another reason.
    RefusesBlindStores,
    /// A conflict between nodes is reported within the bound, and for as long as it lasts.
    ReportsConflicts,
    /// Every stream settles once nothing disturbs it.
    Converges,
    /// Nobody is asked about a stream again and again once nothing disturbs it.
    ComesToRest,
    /// The agent's own defects.
    NoDefect,
}

impl Property {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::WellFormed,
        Self::OnlyCreates,
        Self::NothingDropped,
        Self::ReadsBack,
        Self::CapturedKept,
        Self::Independent,
        Self::WithinRate,
        Self::WithinBounds,
        Self::UnsettledEnds,
        Self::NotResurrected,
        Self::Restorable,
        Self::NothingForeign,
        Self::FallbackGates,
        Self::ProvisionalGivesWay,
        Self::LooksAgain,
        Self::OneAtATime,
        Self::HealthIsTold,
        Self::SpreadsRetries,
        Self::RefusesBlindStores,
        Self::ReportsConflicts,
        Self::Converges,
        Self::ComesToRest,
        Self::NoDefect,
    ];

    /// Its name, in outputs and in scenarios.
    pub fn name(self) -> &'static str {
        match self {
            Self::WellFormed => "well-formed",
            Self::OnlyCreates => "only-creates",
            Self::NothingDropped => "nothing-dropped",
            Self::ReadsBack => "reads-back",
            Self::CapturedKept => "captured-kept",
            Self::Independent => "independent",
            Self::WithinRate => "within-rate",
            Self::WithinBounds => "within-bounds",
            Self::UnsettledEnds => "unsettled-ends",
            Self::NotResurrected => "not-resurrected",
            Self::Restorable => "restorable",
            Self::NothingForeign => "nothing-foreign",
            Self::FallbackGates => "fallback-gates",
            Self::ProvisionalGivesWay => "provisional-gives-way",
            Self::LooksAgain => "looks-again",
            Self::OneAtATime => "one-at-a-time",
            Self::HealthIsTold => "health-is-told",
            Self::SpreadsRetries => "spreads-retries",
            Self::RefusesBlindStores => "refuses-blind-stores",
            Self::ReportsConflicts => "reports-conflicts",
            Self::Converges => "converges",
            Self::ComesToRest => "comes-to-rest",
            Self::NoDefect => "no-defect",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// Whether it is about the end of a world that nothing disturbs any more for as long as streams may take to settle.
    pub fn needs_rest(self) -> bool {
        matches!(
            self,
            Self::Converges
                | Self::ComesToRest
                | Self::ProvisionalGivesWay
                | Self::ReportsConflicts
        )
    }

    /// What it says, in one sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::WellFormed => "what is no schema is never uploaded",
            Self::OnlyCreates => "a fallback is created only where nothing stands",
            Self::NothingDropped => "no write drops a field or changes its type",
            Self::ReadsBack => "a write of unknown outcome is read back first",
            Self::CapturedKept => "what was captured ends in the store or in a conflict",
            Self::Independent => "one stream's trouble delays no other stream",
            Self::WithinRate => "a node's requests stay within its rate",
            Self::WithinBounds => "every delay lies within the operator's bounds",
            Self::UnsettledEnds => "`unsettled` comes to an end",
            Self::NotResurrected => "a deleted stream is never resurrected",
            Self::Restorable => "what was confirmed can be restored",
            Self::NothingForeign => "nothing of an earlier life of a stream is written",
            Self::FallbackGates => "a fallback holds what peers hold",
            Self::ProvisionalGivesWay => "a fallback gives way to the stream's own schema",
            Self::LooksAgain => "what was written is looked at again",
            Self::OneAtATime => "a stream is attended to by one attempt at a time",
            Self::HealthIsTold => "policies are told that the store fails",
            Self::SpreadsRetries => "streams that fail together are not all tried again together",
            Self::RefusesBlindStores => {
                "nothing is written to a store that ignores conditions, and no agent ends for another reason"
            }
            Self::ReportsConflicts => {
                "a conflict between nodes is reported within the bound and for as long as it lasts"
            }
            Self::ComesToRest => "no stream is looked at all the time once nothing disturbs it",
            Self::Converges => "every stream settles once nothing disturbs it",
            Self::NoDefect => "no attempt meets a defect of the agent's own",
        }
    }

    fn judge(self, found: &mut Found<'_, '_>) {
        match self {
            Self::WellFormed => well_formed::judge(found),
            Self::OnlyCreates => only_creates::judge(found),
            Self::NothingDropped => nothing_dropped::judge(found),
            Self::ReadsBack => reads_back::judge(found),
            Self::CapturedKept => captured_kept::judge(found),
            Self::Independent => independent::judge(found),
            Self::WithinRate => within_rate::judge(found),
            Self::WithinBounds => within_bounds::judge(found),
            Self::UnsettledEnds => unsettled_ends::judge(found),
            Self::NotResurrected => not_resurrected::judge(found),
            Self::Restorable => restorable::judge(found),
            Self::NothingForeign => nothing_foreign::judge(found),
            Self::FallbackGates => fallback_gates::judge(found),
            Self::ProvisionalGivesWay => provisional_gives_way::judge(found),
            Self::LooksAgain => looks_again::judge(found),
            Self::OneAtATime => one_at_a_time::judge(found),
            Self::HealthIsTold => health_is_told::judge(found),
            Self::SpreadsRetries => spreads_retries::judge(found),
            Self::RefusesBlindStores => refuses_blind_stores::judge(found),
            Self::ReportsConflicts => reports_conflicts::judge(found),
            Self::Converges => converges::judge(found),
            Self::ComesToRest => comes_to_rest::judge(found),
            Self::NoDefect => no_defect::judge(found),
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A property that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub property: Property,
    /// When.
    pub at: Duration,
    /// On which node; empty where it is about all of them.
    pub node: String,
    /// For which stream; empty where it is about a node as a whole.
    pub stream: String,
    /// What happened.
    pub text: String,
}

impl Violation {
    /// Where, and what happened.
    pub fn in_words(&self) -> String {
        let Self {
            node, stream, text, ..
        } = self;
        match (node.as_str(), stream.as_str()) {
            ("", _) => text.clone(),
            (_, "") => format!("{node}: {text}"),
            _ => format!("{stream} on {node}: {text}"),
        }
    }

    /// What a timeline shows of it.
    pub fn focus(&self, scenario: &Scenario) -> Focus {
        Focus {
            stream: scenario.streams.get(&self.stream).cloned(),
            node: scenario.nodes.iter().find(|of| **of == self.node).cloned(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.property, self.in_words())
    }
}

/// All properties that did not hold in a scenario that was played, in order of time.
pub fn violations(scenario: &Scenario, policies: &Loaded, played: &Played) -> Vec<Violation> {
    judge(&History::new(scenario, policies, played), &Property::ALL)
}

/// Those of the properties that did not hold, in order of time.
pub(super) fn judge(history: &History<'_>, properties: &[Property]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let whole = [Property::NoDefect, Property::ComesToRest];
    for &property in properties {
        // What was stopped half-way says little of its end.
        if history.played.endless && !whole.contains(&property) {
            continue;
        }
        let mut found = Found {
            history,
            property,
            violations: &mut violations,
        };
        property.judge(&mut found);
    }
    violations.sort_by_key(|violation| violation.at);
    violations
}

/// Where a property says what it found.
struct Found<'h, 'p> {
    history: &'h History<'p>,
    property: Property,
    violations: &'h mut Vec<Violation>,
}

impl<'h, 'p> Found<'h, 'p> {
    /// The history, for longer than this.
    fn history(&self) -> &'h History<'p> {
        self.history
    }

    fn tell(&mut self, at: Duration, node: &str, stream: &str, text: impl Into<String>) {
        self.violations.push(Violation {
            property: self.property,
            at,
            node: node.to_owned(),
            stream: stream.to_owned(),
            text: text.into(),
        });
    }

    /// At the end of the world.
    fn tell_of_end(&mut self, node: &str, stream: &str, text: impl Into<String>) {
        self.tell(self.history.scenario.until, node, stream, text);
    }
}

/// Where everything that happened lies before.
const END: Index = Index::MAX;
