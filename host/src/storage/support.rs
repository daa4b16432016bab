//! What a probe found out about a store.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a store treats one kind of condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// It holds, also among concurrent writers.
    Honoured,
    /// It holds for one writer after another, but several concurrent writers may all succeed.
    LosesRaces,
    /// It is accepted and ignored: the object is overwritten.
    Ignored,
    /// A request with this condition is rejected, and one without it is accepted.
    Rejected,
    /// The condition never holds: a new key counts as taken, or the version just read as replaced. Weak ETags and ETags
    /// that change by themselves do that.
    NeverHolds,
}

/// How a store treats conditional writes, as a probe found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionalSupport {
    /// Writing only if the key does not exist.
    pub create: Condition,
    /// Writing only if the object still has the version that was read.
    pub update: Condition,
    /// Whether HEAD gives an ETag other than the one that GET gives for the same object, or none.
    #[serde(default)]
    pub head_differs: bool,
}

impl ConditionalSupport {
    /// A store that does everything right.
    pub const HONOURED: Self = Self {
        create: Condition::Honoured,
        update: Condition::Honoured,
        head_differs: false,
    };

    /// Whether both conditions can be relied on.
    pub fn honoured(self) -> bool {
        self.create == Condition::Honoured && self.update == Condition::Honoured
    }
}

impl fmt::Display for ConditionalSupport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.honoured() {
            return f.write_str("honours conditional writes");
        }
        if self.create == self.update {
            return f.write_str(&described(self.create, "writes"));
        }
        let found: Vec<String> = [(self.create, "creates"), (self.update, "updates")]
            .into_iter()
            .filter(|(condition, _)| *condition != Condition::Honoured)
            .map(|(condition, writes)| described(condition, writes))
            .collect();
        f.write_str(&found.join(" and "))
    }
}

fn described(condition: Condition, writes: &str) -> String {
    match condition {
        Condition::Honoured => format!("honours conditional {writes}"),
        Condition::LosesRaces => {
            format!("lets several concurrent conditional {writes} succeed")
        }
        Condition::Ignored => {
            format!("ignores the condition of conditional {writes}")
        }
        Condition::Rejected => format!("rejects conditional {writes}"),
        Condition::NeverHolds => format!(
            "refuses conditional {writes} whose condition holds (are its ETags weak or unstable?)"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(create: Condition, update: Condition) -> ConditionalSupport {
        ConditionalSupport {
            create,
            update,
            head_differs: false,
        }
    }

    #[test]
    fn findings_are_described_and_survive_the_ledger() {
        use Condition::{Honoured, Ignored, LosesRaces, Rejected};
        for (found, text) in [
            (found(Honoured, Honoured), "honours conditional writes"),
            (
                found(Ignored, LosesRaces),
                "ignores the condition of conditional creates and lets several concurrent \
                 conditional updates succeed",
            ),
            (found(Rejected, Rejected), "rejects conditional writes"),
            (found(Honoured, Rejected), "rejects conditional updates"),
        ] {
            assert_eq!(found.to_string(), text);
            let kept = serde_json::to_string(&found).unwrap();
            assert_eq!(
                serde_json::from_str::<ConditionalSupport>(&kept).unwrap(),
                found
            );
        }
    }
}
