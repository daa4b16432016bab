use serde::Serialize;

/// What a policy says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Description {
    /// A short name.
    pub name: String,
    /// The policy's own version.
    pub version: String,
    /// What it does, in one sentence.
    pub summary: String,
    /// JSON Schema of its settings, as the policy wrote it; empty where there are none.
    pub settings_schema: String,
    /// Authors, licence and the like, by name.
    pub metadata: Vec<(String, String)>,
}

/// One thing that a policy found wrong with its settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SettingsProblem {
    /// JSON Pointer (RFC 6901) to the value; empty for the settings as a whole.
    pub pointer: String,
    /// What is wrong, and what would be right.
    pub message: String,
}
