//! The shape of a scenario file: what may be written, each key as it is written, nothing filled in. What is found by
//! exploration is written in it too.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::properties::Property;
use crate::config::{Length, Size};
use crate::contract::{FailureKind, Phase, Role};
use crate::sandbox::store::Operation;

/// A scenario: a world, what happens in it, and what is expected of the policies that live through it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// What it is about, in one line.
    pub title: String,
    /// Why it matters, in as many lines as that takes.
    pub about: Option<String>,
    /// What all that is left to chance comes from. 0 where it is left out.
    pub seed: Option<u64>,
    /// How long it takes, in the world's time.
    pub until: Length,
    /// Whether what could happen at the same moment happens in an order of the seed's, and not in the order in which it
    /// was begun.
    pub shuffle: Option<bool>,
    /// The configuration under test: the path of a configuration file, or its tables in place (`[config.sync]`). Where the
    /// staging directory and the store really are does not matter.
    pub config: Option<Config>,
    /// How the store behaves.
    pub store: Option<Store>,
    /// The nodes with an agent. One, named `n1`, where none is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<Node>,
    /// What goes wrong with requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// What happens, in the order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Step>,
    /// What must have come of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<Expect>,
}

/// The configuration under test.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "the path of a configuration file, or its tables"
)]
pub enum Config {
    /// The path of a configuration file, from the scenario's directory.
    Path(String),
    /// The configuration itself.
    Tables(BTreeMap<String, serde_json::Value>),
}

/// How the store behaves when nothing goes wrong.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// How long a request takes: one length for all, or quantiles.
    pub latency: Option<Latency>,
    /// How many requests a second it takes: `"s3"` for what Amazon publishes, or numbers. No limits where it is left out.
    pub limits: Option<Limits>,
    /// Whether the conditions of writes hold.
    pub conditions: Option<Conditions>,
}

/// A distribution of lengths of time.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a length of time, or a table of `min`, `p50`, `p99`, `max`"
)]
pub enum Latency {
    /// Always the same.
    Constant(Length),
    /// Straight lines between quantiles.
    Quantiles(Quantiles),
}

/// Quantiles of a distribution. One that is left out is as the one before it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quantiles {
    /// At least.
    pub min: Option<Length>,
    /// For half of the requests at most.
    pub p50: Length,
    /// For 99 of 100 at most.
    pub p99: Option<Length>,
    /// For all.
    pub max: Option<Length>,
}

/// Limits of requests a second.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "`\"s3\"`, or a table of `writes`, `reads`, `prefix_depth`"
)]
pub enum Limits {
    /// Limits that have a name.
    Named(NamedLimits),
    /// Numbers.
    Numbers(LimitNumbers),
}

/// Limits that have a name.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NamedLimits {
    /// What Amazon S3 publishes: 3,500 writes and 5,500 reads a second for each prefix.
    S3,
}

/// Limits in numbers.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitNumbers {
    /// Writes and deletions a second.
    pub writes: u32,
    /// Reads and listings a second.
    pub reads: u32,
    /// How many segments of a key make a prefix: 1 where it is left out, 0 for the whole store together.
    pub prefix_depth: Option<usize>,
}

/// Whether the conditions of writes hold.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Conditions {
    /// They hold.
    Honoured,
    /// They are accepted and ignored, as Garage and s3rver do.
    Ignored,
}

/// A node with an agent.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Its identity.
    pub name: String,
    /// When its agent starts; at the beginning where it is left out.
    pub starts: Option<Length>,
    /// When the node writes its identity; before the beginning where it is left out.
    pub identified: Option<Length>,
}

/// A rule by which something happens to requests. What is left out leaves nothing out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// From when on.
    pub from: Option<Length>,
    /// Until when.
    pub until: Option<Length>,
    /// Which operations.
    pub operations: Option<Vec<Operation>>,
    /// A glob on keys, or on the prefixes of listings.
    pub keys: Option<String>,
    /// A glob on the names of the nodes that ask.
    pub nodes: Option<String>,
    /// How likely it happens, from 0 to 1.
    pub probability: Option<f64>,
    /// How many such requests are spared first.
    pub after: Option<u64>,
    /// How many requests it happens to at most.
    pub count: Option<u64>,
    /// What happens.
    pub effect: Effect,
    /// With `fail`: how.
    pub kind: Option<FailureKind>,
    /// With `fail`: the store's advice when to come again.
    pub retry_after: Option<Length>,
    /// With `slow`: how much longer it takes.
    pub latency: Option<Latency>,
    /// With `late`: how much later it is done.
    pub by: Option<Length>,
    /// With `race` and `clobber`: the other writer's schema, by the names and types of its fields.
    pub fields: Option<BTreeMap<String, String>>,
    /// With `race` and `clobber`: the other writer's content, as it stands.
    pub text: Option<String>,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It is answered with a failure (`kind`); nothing is done.
    Fail,
    /// It takes longer (`latency`).
    Slow,
    /// It is never answered; nothing is done.
    Hang,
    /// It is done, and never answered.
    LoseAnswer,
    /// It is done, and then the connection breaks.
    Cut,
    /// A listing breaks off in the middle.
    Tear,
    /// Its condition is ignored.
    IgnoreCondition,
    /// Right before it is done, another writer puts something there (`fields` or `text`).
    Race,
    /// Right after it is done, another writer puts something there (`fields` or `text`).
    Clobber,
    /// It is done later (`by`), whether or not anybody still waits.
    Late,
}

/// One thing that happens.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When.
    pub at: Length,
    /// What.
    #[serde(rename = "do")]
    pub action: Action,
    /// On which node; the first one where it is left out.
    pub node: Option<String>,
    /// To which stream; with a tenant, `tenant/stream`.
    pub stream: Option<String>,
    /// A schema, by the names and types of its fields.
    pub fields: Option<BTreeMap<String, String>>,
    /// A content, as it stands.
    pub text: Option<String>,
    /// The path of a file with the content, from the scenario's directory.
    pub file: Option<String>,
    /// With `data`: how many data files wait.
    pub files: Option<u32>,
    /// With `put` and `delete`: the object's key.
    pub key: Option<String>,
    /// With `publish`: whether it is the stream's base schema, and not the node's.
    pub base: Option<bool>,
    /// With `skew`: how much the node's clock is ahead; `-5m` for behind.
    pub ahead: Option<String>,
    /// With `unreadable` and `fail-staging`: why.
    pub cause: Option<String>,
}

/// What happens.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The node stages a schema of the stream (`fields`, `text` or `file`).
    Stage,
    /// The node is about to write the staged schema: it changes whenever it is read.
    Tear,
    /// What stands at the staged schema's place can't be read (`cause`).
    Unreadable,
    /// The node deletes the staged schema.
    Unstage,
    /// So many data files of the stream wait (`files`).
    Data,
    /// The node removes the stream's staging directory.
    Remove,
    /// The stream is created: its markers are put into the store.
    CreateStream,
    /// The stream is deleted: everything of it in the store is.
    DeleteStream,
    /// The node puts a schema under its own key, without a condition (`fields`, `text` or `file`); the stream's base
    /// schema with `base = true`. A node without an agent may do so too.
    Publish,
    /// Somebody puts an object into the store (`key`, and `fields`, `text` or `file`).
    Put,
    /// Somebody deletes an object (`key`).
    Delete,
    /// The agent starts.
    Start,
    /// The agent is told to stop.
    Stop,
    /// The agent is killed.
    Crash,
    /// The node's clock is set (`ahead`).
    Skew,
    /// The whole staging directory can't be read (`cause`).
    FailStaging,
    /// It can be read again.
    HealStaging,
}

/// One thing that must have come of it: one key says what, others which part of what happened it is about.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// About this stream.
    pub stream: Option<String>,
    /// About this node.
    pub node: Option<String>,
    /// About decisions of this role.
    pub role: Option<Role>,
    /// About this policy.
    pub policy: Option<String>,
    /// About what happened from then on.
    pub from: Option<Length>,
    /// About what happened until then.
    pub until: Option<Length>,
    /// At this moment; at the end where neither this nor `by` is written.
    pub at: Option<Length>,
    /// At this moment at the latest.
    pub by: Option<Length>,

    /// The stream is in this phase.
    pub phase: Option<Phase>,
    /// The stream is in none of these phases, ever.
    pub never: Option<Vec<Phase>>,
    /// These are the verdicts, by their names in the contract, in this order, and no others. `none` stands for the host's
    /// default.
    pub verdicts: Option<Vec<String>>,
    /// These are among the verdicts, in this order.
    pub verdicts_among: Option<Vec<String>>,
    /// The delays after decisions lie within these.
    pub delays: Option<Delays>,
    /// There are so many requests of agents.
    pub requests: Option<Requests>,
    /// What stands under this key.
    pub object: Option<String>,
    /// With `object`: a schema of these fields.
    pub fields: Option<BTreeMap<String, String>>,
    /// With `object`: this content.
    pub text: Option<String>,
    /// With `object`: nothing, if true; anything, if false.
    pub absent: Option<bool>,
    /// A warning or an alert holds these words.
    pub warns: Option<String>,
    /// There is no warning and no alert.
    pub silent: Option<bool>,
    /// No agent's write takes a field away from what stood there, or changes its type.
    pub no_overwrite: Option<bool>,
    /// Each call of a policy stays within these.
    pub budget: Option<Budget>,
    /// So many calls of policies fail.
    pub failed_calls: Option<Range>,
    /// The agent ends by itself, and says these words.
    pub ends: Option<String>,
    /// This holds in all that happens: a property by its name, several, or `"all"`.
    pub property: Option<Properties>,
}

/// Properties by their names.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "the name of a property, or several")]
pub enum Properties {
    /// One, or all.
    One(#[schemars(with = "OneProperty")] String),
    /// Several.
    Several(#[schemars(with = "Vec<Property>")] Vec<String>),
}

/// The word for all properties.
pub const ALL_PROPERTIES: &str = "all";

/// What may be written for one property.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it is a shape for the JSON Schema alone")]
enum OneProperty {
    All(AllProperties),
    One(Property),
}

#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(dead_code, reason = "it is a shape for the JSON Schema alone")]
enum AllProperties {
    /// Every property that the scenario is long enough for.
    All,
}

/// Bounds of the delays after decisions: from the end of an attempt until the stream is looked at again.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delays {
    /// None is shorter.
    pub min: Option<Length>,
    /// None is longer.
    pub max: Option<Length>,
    /// The longest is at least this.
    pub reach: Option<Length>,
    /// How many there are.
    pub count: Option<Range>,
}

/// How many requests.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requests {
    /// Of these operations; of all where it is left out.
    pub operations: Option<Vec<Operation>>,
    /// Whose keys match this glob.
    pub keys: Option<String>,
    /// Which ended like this.
    pub outcome: Option<RequestOutcome>,
    /// At least.
    pub min: Option<u64>,
    /// At most.
    pub max: Option<u64>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RequestOutcome {
    /// It was done.
    Done,
    /// Nothing stood there.
    Missing,
    /// Its condition did not hold.
    Refused,
    /// It failed.
    Failed,
    /// It was done, and its answer lost.
    AnswerLost,
    /// It was never answered, and nothing was done.
    Unanswered,
}

/// How many.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// At least.
    pub min: Option<u64>,
    /// At most.
    pub max: Option<u64>,
}

/// What a call of a policy may use.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Fuel.
    pub fuel: Option<u64>,
    /// Bytes of memory.
    pub memory: Option<Size>,
    /// Host calls.
    pub host_calls: Option<u32>,
}
