//! What a fleet goes through, as it stands in a file.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;

use crate::config::{Length, Problem, Source};
use crate::contract::{FailureKind, StoreFailure};
use crate::sandbox::store::{Effect, Fault, Latency, Operation, RateLimits};
use crate::text::counted;
use crate::time::in_full;

/// Nodes that share their streams, unless the scenario says otherwise.
pub const DEFAULT_CLUSTER: u32 = 100;

/// The most nodes that share their streams: a cluster is simulated on one thread, and held in memory as a whole.
pub const MAX_CLUSTER: u32 = 1_000;

/// The default scenarios, by name.
const BUILT_IN: [(&str, &str); 5] = [
    (
        "rolling-start",
        include_str!("scenarios/rolling-start.toml"),
    ),
    ("outage", include_str!("scenarios/outage.toml")),
    ("throttling", include_str!("scenarios/throttling.toml")),
    ("slow-prefix", include_str!("scenarios/slow-prefix.toml")),
    ("clock-skew", include_str!("scenarios/clock-skew.toml")),
];

/// What a fleet goes through.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name: the file's, or the built-in one.
    pub name: String,
    /// What it is about, in a sentence.
    pub about: String,
    /// Nodes that share their streams.
    pub cluster: u32,
    /// Over how long a cluster's nodes start.
    pub start: Start,
    /// How streams live.
    pub streams: Streams,
    /// How far nodes' wall clocks are off, forwards or backwards.
    pub skew: Option<Latency>,
    /// How long the store takes.
    pub latency: Latency,
    /// How many requests a second it takes of each cluster.
    pub limits: Option<RateLimits>,
    /// Times in which it takes fewer.
    pub squeezes: Vec<Squeeze>,
    /// What goes wrong with it.
    pub faults: Vec<Fault>,
    /// The file.
    pub text: String,
    source: Source,
}

/// How a cluster's nodes start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Each at some time within this long.
    Together(Duration),
    /// One after another, at even distances that add up to this.
    Rolling(Duration),
}

/// How streams live.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Streams {
    /// How often a stream's schema gets a field, on average.
    pub schema_every: Option<Duration>,
    /// Within which time of each other all nodes of a cluster stage such a change.
    pub spread: Duration,
    /// How many of a million streams get data before their first schema.
    pub late_in_a_million: u32,
    /// How much later that schema comes at most.
    pub late_by: Duration,
    /// Times at which every stream's schema gets a field.
    pub waves: Vec<Wave>,
}

/// A time in which every stream's schema gets a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wave {
    /// When it begins.
    pub at: Duration,
    /// How long it takes until all streams have it.
    pub over: Duration,
}

/// A time in which the store takes fewer requests than usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Squeeze {
    /// When it begins.
    pub from: Duration,
    /// When it ends.
    pub until: Duration,
    /// What it takes in between.
    pub limits: RateLimits,
}

impl Scenario {
    /// The names of the default scenarios.
    pub fn built_in() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The default scenario of this name; `None` where there is none.
    ///
    /// # Errors
    ///
    /// A defect of ours: it can't be read.
    pub fn named(name: &str) -> Option<Result<Self, Problem>> {
        let (name, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Some(Self::read(name, format!("{name}.toml").as_ref(), text))
    }

    /// Reads a scenario.
    ///
    /// # Errors
    ///
    /// The first thing in it that is wrong, with its place.
    pub fn read(name: &str, path: &Path, text: &str) -> Result<Self, Problem> {
        let source = Source::new(path, text);
        let file: file::Scenario = source.parse_as()?;
        file.meaning(name, text, source)
    }

    /// Makes sure that everything in it happens before the end.
    ///
    /// # Errors
    ///
    /// The first thing that does not, with its place.
    pub fn fits(&self, length: Duration) -> Result<(), Problem> {
        let shown = in_full(length);
        let late = |path: &[&str], from: Duration| {
            match from < length {
            true => Ok(()),
            false => Err(self.source.problem(
                path,
                format!("begins when the simulated {shown} are over: simulate more hours, or let it begin earlier"),
            )),
        }
        };
        for (at, fault) in self.faults.iter().enumerate() {
            late(&["store", "faults", &at.to_string(), "from"], fault.from)?;
        }
        for (at, squeeze) in self.squeezes.iter().enumerate() {
            late(&["store", "limited", &at.to_string(), "from"], squeeze.from)?;
        }
        for (at, wave) in self.streams.waves.iter().enumerate() {
            late(&["streams", "waves", &at.to_string(), "at"], wave.at)?;
        }
        let (Start::Together(over) | Start::Rolling(over)) = self.start;
        late(&["start", "over"], over)
    }

    /// The windows of faults and limits, in order, each once.
    pub fn windows(&self) -> Vec<(Duration, Option<Duration>)> {
        let faults = self.faults.iter().map(|fault| (fault.from, fault.until));
        let squeezes = self.squeezes.iter();
        let squeezes = squeezes.map(|squeeze| (squeeze.from, Some(squeeze.until)));
        let mut windows: Vec<_> = faults.chain(squeezes).collect();
        windows.sort_unstable();
        windows.dedup();
        windows
    }
}

/// What is written.
mod file {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Scenario {
        pub about: String,
        pub cluster: Option<NonZeroU32>,
        #[serde(default)]
        pub start: Start,
        #[serde(default)]
        pub streams: Streams,
        pub clocks: Option<Clocks>,
        #[serde(default)]
        pub store: Store,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Start {
        #[serde(default)]
        pub how: How,
        pub over: Option<Length>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub(super) enum How {
        #[default]
        Together,
        Rolling,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Streams {
        pub schema_every: Option<Length>,
        pub spread: Option<Length>,
        pub late: Option<Late>,
        #[serde(default)]
        pub waves: Vec<Wave>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Late {
        pub probability: f64,
        pub by: Length,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Wave {
        pub at: Length,
        pub over: Length,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Clocks {
        pub skew: Quantiles,
    }

    #[derive(Clone, Copy, Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Quantiles {
        pub min: Option<Length>,
        pub p50: Length,
        pub p99: Option<Length>,
        pub max: Option<Length>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Store {
        pub latency: Option<Quantiles>,
        pub limits: Option<Limits>,
        #[serde(default)]
        pub limited: Vec<Limited>,
        #[serde(default)]
        pub faults: Vec<OneFault>,
    }

    #[derive(Clone, Copy, Debug, Deserialize)]
    #[serde(
        untagged,
        expecting = "`\"s3\"`, or a table of `writes`, `reads`, `prefix_depth`"
    )]
    pub(super) enum Limits {
        Named(NamedLimits),
        Numbers(LimitNumbers),
    }

    #[derive(Clone, Copy, Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub(super) enum NamedLimits {
        S3,
    }

    #[derive(Clone, Copy, Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct LimitNumbers {
        pub writes: NonZeroU32,
        pub reads: NonZeroU32,
        pub prefix_depth: Option<usize>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Limited {
        pub from: Length,
        pub until: Length,
        pub writes: NonZeroU32,
        pub reads: NonZeroU32,
        pub prefix_depth: Option<usize>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct OneFault {
        pub from: Option<Length>,
        pub until: Option<Length>,
        #[serde(default)]
        pub operations: Vec<Operation>,
        pub keys: Option<String>,
        pub nodes: Option<String>,
        pub probability: Option<f64>,
        #[serde(default)]
        pub after: u64,
        pub count: Option<u64>,
        pub effect: What,
        pub kind: Option<FailureKind>,
        pub retry_after: Option<Length>,
        pub latency: Option<Quantiles>,
        pub by: Option<Length>,
    }

    #[derive(Clone, Copy, Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub(super) enum What {
        Fail,
        Slow,
        Hang,
        LoseAnswer,
        Cut,
        Tear,
        IgnoreCondition,
        Late,
    }
}

/// How far apart the nodes of a cluster stage a change, unless the scenario says otherwise.
const SPREAD: Duration = Duration::from_secs(60);

/// How long nodes that start together take, unless the scenario says otherwise.
const TOGETHER: Duration = Duration::from_secs(10);

/// How often a schema may change at most: a stream gets a field each time.
const MIN_SCHEMA_EVERY: Duration = Duration::from_secs(600);

impl file::Scenario {
    fn meaning(self, name: &str, text: &str, source: Source) -> Result<Scenario, Problem> {
        let cluster = self.cluster.map_or(DEFAULT_CLUSTER, NonZeroU32::get);
        if cluster > MAX_CLUSTER {
            let message = format!(
                "{} in a cluster: {MAX_CLUSTER} are the most",
                counted(cluster, "node")
            );
            return Err(source.problem(&["cluster"], message));
        }
        let over = |usual| self.start.over.map_or(usual, |length| length.0);
        let start = match self.start.how {
            file::How::Together => Start::Together(over(TOGETHER)),
            file::How::Rolling => match self.start.over {
                Some(length) => Start::Rolling(length.0),
                None => {
                    let message = "a rolling start needs `over`: how long it takes until all nodes of a cluster run";
                    return Err(source.problem(&["start"], message));
                }
            },
        };
        let store = self.store;
        let usual = crate::sandbox::store::StoreBehaviour::default();
        let mut faults = Vec::new();
        for (at, fault) in store.faults.into_iter().enumerate() {
            faults.push(fault.meaning(&at.to_string(), &source)?);
        }
        let mut squeezes = Vec::new();
        for (at, limited) in store.limited.iter().enumerate() {
            let path = ["store", "limited", &at.to_string(), "until"];
            window(&source, &path, limited.from, Some(limited.until))?;
            squeezes.push(Squeeze {
                from: limited.from.0,
                until: limited.until.0,
                limits: RateLimits {
                    writes: limited.writes.get(),
                    reads: limited.reads.get(),
                    prefix_depth: limited.prefix_depth.unwrap_or(RateLimits::S3.prefix_depth),
                },
            });
        }
        squeezes.sort_by_key(|squeeze| squeeze.from);
        if squeezes
            .windows(2)
            .any(|pair| matches!(pair, [one, next] if next.from < one.until))
        {
            let message = "two of these times overlap: one limit holds at a time";
            return Err(source.problem(&["store", "limited"], message));
        }
        Ok(Scenario {
            name: name.to_owned(),
            about: self.about,
            cluster,
            start,
            streams: self.streams.meaning(&source)?,
            skew: self.clocks.map(|clocks| clocks.skew.meaning()),
            latency: store.latency.map_or(usual.latency, |one| one.meaning()),
            limits: store.limits.map(|limits| match limits {
                file::Limits::Named(file::NamedLimits::S3) => RateLimits::S3,
                file::Limits::Numbers(numbers) => RateLimits {
                    writes: numbers.writes.get(),
                    reads: numbers.reads.get(),
                    prefix_depth: numbers.prefix_depth.unwrap_or(RateLimits::S3.prefix_depth),
                },
            }),
            squeezes,
            faults,
            text: text.to_owned(),
            source,
        })
    }
}

impl file::Streams {
    fn meaning(self, source: &Source) -> Result<Streams, Problem> {
        let (late_in_a_million, late_by) = match &self.late {
            Some(late) => (
                in_a_million(
                    source,
                    &["streams", "late", "probability"],
                    late.probability,
                )?,
                late.by.0,
            ),
            None => (0, Duration::ZERO),
        };
        let schema_every = self.schema_every.map(|length| length.0);
        if schema_every.is_some_and(|every| every < MIN_SCHEMA_EVERY) {
            let message = "a schema that changes more often than every ten minutes grows without end: write \"10m\" or more";
            return Err(source.problem(&["streams", "schema_every"], message));
        }
        let waves = self.waves.iter().map(|wave| Wave {
            at: wave.at.0,
            over: wave.over.0,
        });
        Ok(Streams {
            schema_every,
            spread: self.spread.map_or(SPREAD, |length| length.0),
            late_in_a_million,
            late_by,
            waves: waves.collect(),
        })
    }
}

impl file::Quantiles {
    fn meaning(self) -> Latency {
        let (p50, p99) = (self.p50.0, self.p99.unwrap_or(self.p50).0);
        let min = self.min.map_or(Duration::ZERO, |length| length.0);
        Latency::quantiles(min, p50, p99, self.max.map_or(p99, |length| length.0))
    }
}

impl file::OneFault {
    fn meaning(self, at: &str, source: &Source) -> Result<Fault, Problem> {
        let place = |key| ["store", "faults", at, key];
        let from = self.from.unwrap_or(Length(Duration::ZERO));
        window(source, &place("until"), from, self.until)?;
        let glob = |key, text: &Option<String>| -> Result<Option<GlobMatcher>, Problem> {
            let Some(text) = text else {
                return Ok(None);
            };
            let glob = GlobBuilder::new(text).literal_separator(true).build();
            let glob =
                glob.map_err(|error| source.problem(&place(key), error.kind().to_string()))?;
            Ok(Some(glob.compile_matcher()))
        };
        let probability = self.probability.unwrap_or(1.0);
        let effect = self.effect(at, source)?;
        Ok(Fault {
            from: from.0,
            until: self.until.map(|length| length.0),
            keys: glob("keys", &self.keys)?,
            nodes: glob("nodes", &self.nodes)?,
            operations: self.operations,
            in_a_million: in_a_million(source, &place("probability"), probability)?,
            after: self.after,
            count: self.count,
            effect,
        })
    }
}

impl file::OneFault {
    fn effect(&self, at: &str, source: &Source) -> Result<Effect, Problem> {
        use file::What;
        let missing = |key: &str, what: &str| {
            let message = format!("this effect needs `{key}`: {what}");
            source.problem(&["store", "faults", at, "effect"], message)
        };
        let stray = [
            (
                "kind",
                self.kind.is_some(),
                matches!(self.effect, What::Fail),
            ),
            (
                "retry_after",
                self.retry_after.is_some(),
                matches!(self.effect, What::Fail),
            ),
            (
                "latency",
                self.latency.is_some(),
                matches!(self.effect, What::Slow),
            ),
            ("by", self.by.is_some(), matches!(self.effect, What::Late)),
        ];
        if let Some((key, ..)) = stray.iter().find(|(_, there, fits)| *there && !fits) {
            let message = "means nothing with this effect: leave it out";
            return Err(source.problem(&["store", "faults", at, key], message));
        }
        Ok(match self.effect {
            What::Fail => {
                let kind = self.kind;
                let kind =
                    kind.ok_or_else(|| missing("kind", "how it fails, as in \"unavailable\""))?;
                Effect::Fail(StoreFailure {
                    kind,
                    message: "a fault of the scenario's".to_owned(),
                    retry_after: self.retry_after.map(|length| length.0),
                })
            }
            What::Slow => {
                let latency = self.latency;
                let latency =
                    latency.ok_or_else(|| missing("latency", "how much longer it takes"))?;
                Effect::Slow(latency.meaning())
            }
            What::Late => {
                let by = self
                    .by
                    .ok_or_else(|| missing("by", "how much later it is done"))?;
                Effect::Late(by.0)
            }
            What::Hang => Effect::Hang,
            What::LoseAnswer => Effect::LoseAnswer,
            What::Cut => Effect::Cut,
            What::Tear => Effect::Tear,
            What::IgnoreCondition => Effect::IgnoreCondition,
        })
    }
}

fn window(
    source: &Source,
    path: &[&str],
    from: Length,
    until: Option<Length>,
) -> Result<(), Problem> {
    match until {
        Some(until) if until <= from => {
            Err(source.problem(path, "ends before it begins: nothing would ever happen"))
        }
        _ => Ok(()),
    }
}

fn in_a_million(source: &Source, path: &[&str], probability: f64) -> Result<u32, Problem> {
    match (0.0..=1.0).contains(&probability) {
        true => Ok((probability * 1e6).round() as u32),
        false => Err(source.problem(path, "a probability lies between 0 and 1")),
    }
}
