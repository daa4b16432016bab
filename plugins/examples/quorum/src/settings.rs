use schemars::JsonSchema;
use serde::Deserialize;
use tidegate_policy::{Policy, Problems};

/// How votes are counted.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Quorum {
    /// How many nodes must have published a schema.
    #[schemars(range(min = 1))]
    pub min_nodes: u32,
    /// The most nodes whose schemas are read; each costs a host call.
    #[schemars(range(min = 1))]
    pub max_nodes: u32,
    /// A field's type needs more than this share of the nodes that have the field: from a half to less than all.
    #[schemars(range(min = 0.5), extend("exclusiveMaximum" = 1))]
    pub share: f64,
}

impl Default for Quorum {
    fn default() -> Self {
        Self {
            min_nodes: 3,
            max_nodes: 30,
            share: 0.5,
        }
    }
}

impl Policy for Quorum {
    fn validate(&self, problems: &mut Problems) {
        if self.min_nodes == 0 {
            problems.add("/min-nodes", "at least 1");
        }
        if self.max_nodes < self.min_nodes {
            let message = format!(
                "`max-nodes` ({}) is less than `min-nodes` ({})",
                self.max_nodes, self.min_nodes
            );
            problems.add("/max-nodes", message);
        }
        if !(0.5..1.0).contains(&self.share) {
            let message = format!("{} is not from 0.5 to less than 1", self.share);
            problems.add("/share", message);
        }
    }
}
