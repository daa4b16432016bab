//! From what is written to what it means.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use globset::{GlobBuilder, GlobMatcher};
use object_store::path::Path as Key;

use super::content;
use super::expectation::{Bounds, Expectation, Expected, ExpectedContent, Properties, Scope, When};
use super::file::{self, Action, File};
use super::model::{Deed, Scenario, Step};
use super::properties::Property;
use crate::config::{ConfigError, Problem, Settings, Source, suggest};
use crate::contract::{FailureKind, StoreFailure};
use crate::sandbox::store::{Effect, Fault, Latency, RateLimits, StoreBehaviour};
use crate::schema::Schema;
use crate::stream::StreamId;

/// The longest scenario.
pub const MAX_LENGTH: Duration = Duration::from_secs(366 * 24 * 3600);

/// The most that a content may hold, in bytes: enough to be over the limit of staged schemas.
const MAX_CONTENT: u64 = 256 << 20;

/// The name of the node where none is written.
const ONLY_NODE: &str = "n1";

/// The configuration where none is written: the bundled policies with their defaults.
const DEFAULT: &str = "[staging]\nlayout = \"plain\"\n";

impl Scenario {
    /// Reads and checks a scenario file.
    ///
    /// # Errors
    ///
    /// The file, or a file that it names, can't be read; or something in one of them is wrong, with its place.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        Self::from_source(Source::read(path)?)
    }

    /// Checks a scenario that was read.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn from_source(source: Source) -> Result<Self, ConfigError> {
        let file: File = source.parse_as()?;
        let reader = Reader::new(&source, &file)?;
        let (configuration, settings) = reader.configuration()?;
        Ok(reader.scenario(configuration, settings.into())?)
    }

    /// Checks a scenario that was written nowhere, under settings that are known.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read); of a problem's place nothing is known.
    pub fn from_file(file: &File, settings: Arc<Settings>) -> Result<Self, Problem> {
        let nowhere = Source::new("", "");
        Reader::new(&nowhere, file)?.scenario(nowhere.clone(), settings)
    }
}

/// The streams that anything happens to, by their names.
type Streams = BTreeMap<String, StreamId>;

/// A node with an agent, as it is written.
struct Node {
    name: String,
    starts: Duration,
    identified: Option<Duration>,
}

struct Reader<'a> {
    source: &'a Source,
    file: &'a File,
    dir: &'a Path,
    nodes: Vec<Node>,
}

impl<'a> Reader<'a> {
    fn new(source: &'a Source, file: &'a File) -> Result<Self, Problem> {
        let mut nodes = Vec::new();
        for (at, node) in file.nodes.iter().enumerate() {
            if nodes.iter().any(|known: &Node| known.name == node.name) {
                let message = format!("there is a node `{}` already", node.name);
                return Err(source.problem(&["nodes", &at.to_string(), "name"], message));
            }
            nodes.push(Node {
                name: node.name.clone(),
                starts: node.starts.map_or(Duration::ZERO, Duration::from),
                identified: node.identified.map(Duration::from),
            });
        }
        if nodes.is_empty() {
            nodes.push(Node {
                name: ONLY_NODE.to_owned(),
                starts: Duration::ZERO,
                identified: None,
            });
        }
        Ok(Self {
            source,
            file,
            dir: source.path().parent().unwrap_or(Path::new("")),
            nodes,
        })
    }

    /// All of it. `configuration` is where the settings are written.
    fn scenario(
        &self,
        configuration: Source,
        settings: Arc<Settings>,
    ) -> Result<Scenario, Problem> {
        let until = self.length()?;
        let store = self.store()?;
        let steps = self.steps(until)?;
        let streams: Streams = steps
            .iter()
            .filter_map(|step| step.deed.stream())
            .map(|stream| (stream.to_string(), stream.clone()))
            .collect();
        let expectations = self.expectations(until, &streams, &settings)?;
        let path = self.source.path().to_owned();
        let file = self.file;
        Ok(Scenario {
            name: path
                .file_stem()
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            path,
            title: file.title.clone(),
            seed: file.seed.unwrap_or_default(),
            until,
            shuffle: file.shuffle.unwrap_or_default(),
            source: configuration,
            settings,
            store,
            nodes: self.nodes.iter().map(|node| node.name.clone()).collect(),
            streams,
            steps: self.with_starts(steps, until),
            expectations,
        })
    }

    fn length(&self) -> Result<Duration, Problem> {
        let until = Duration::from(self.file.until);
        let message = match until {
            Duration::ZERO => "a scenario must take some time".to_owned(),
            until if until > MAX_LENGTH => {
                let days = MAX_LENGTH.as_secs() / 86_400;
                format!("a scenario takes {days} days at most")
            }
            _ => return Ok(until),
        };
        Err(self.source.problem(&["until"], message))
    }

    fn configuration(&self) -> Result<(Source, Settings), ConfigError> {
        let path = self.source.path();
        let source = match &self.file.config {
            None => Source::new(path, DEFAULT),
            Some(file::Config::Tables(_)) => self.source.clone().table("config"),
            Some(file::Config::Path(name)) => {
                let named = self.dir.join(name);
                match Source::read(&named) {
                    Ok(source) => source,
                    Err(ConfigError::Read { source, .. }) => {
                        let message = format!("can't read {}: {source}", named.display());
                        return Err(self.source.problem(&["config"], message).into());
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        let source = source.simulated();
        let settings = Settings::from_source(&source, &|_| None)?;
        // Hints come from the system, and here there is none.
        let settings = Settings {
            watch: false,
            ..settings
        };
        Ok((source, settings))
    }

    fn store(&self) -> Result<StoreBehaviour, Problem> {
        let mut behaviour = StoreBehaviour::default();
        if let Some(store) = &self.file.store {
            if let Some(written) = &store.latency {
                behaviour.latency = latency(written);
            }
            behaviour.limits = store.limits.as_ref().map(|limits| match limits {
                file::Limits::Named(file::NamedLimits::S3) => RateLimits::S3,
                file::Limits::Numbers(numbers) => RateLimits {
                    writes: numbers.writes,
                    reads: numbers.reads,
                    prefix_depth: numbers.prefix_depth.unwrap_or(1),
                },
            });
            behaviour.honours_conditions =
                !matches!(store.conditions, Some(file::Conditions::Ignored));
        }
        for (at, written) in self.file.faults.iter().enumerate() {
            behaviour.faults.push(self.fault(at, written)?);
        }
        Ok(behaviour)
    }

    fn fault(&self, at: usize, written: &file::Fault) -> Result<Fault, Problem> {
        let number = at.to_string();
        let problem =
            |key: &str, message: &str| self.source.problem(&["faults", &number, key], message);
        let from = written.from.map_or(Duration::ZERO, Duration::from);
        let until = written.until.map(Duration::from);
        if until.is_some_and(|until| until <= from) {
            return Err(problem("until", "ends before it begins"));
        }
        let in_a_million = match written.probability {
            None => 1_000_000,
            Some(part) if (0.0..=1.0).contains(&part) => (part * 1_000_000.0).round() as u32,
            Some(_) => return Err(problem("probability", "lies between 0 and 1")),
        };
        let belongs = |key: &str, effects: &[file::Effect], written_there: bool| match written_there
            && !effects.contains(&written.effect)
        {
            true => Err(problem(key, "means nothing with this effect")),
            false => Ok(()),
        };
        use file::Effect as Written;
        belongs("kind", &[Written::Fail], written.kind.is_some())?;
        belongs(
            "retry_after",
            &[Written::Fail],
            written.retry_after.is_some(),
        )?;
        belongs("latency", &[Written::Slow], written.latency.is_some())?;
        belongs("by", &[Written::Late], written.by.is_some())?;
        let intruders = [Written::Race, Written::Clobber];
        belongs("fields", &intruders, written.fields.is_some())?;
        belongs("text", &intruders, written.text.is_some())?;
        let content = || {
            self.content(
                &["faults", &number],
                written.fields.as_ref(),
                written.text.as_ref(),
                None,
            )
        };
        let effect = match written.effect {
            Written::Fail => match written.kind {
                Some(kind) => Effect::Fail(StoreFailure {
                    kind,
                    message: message_of(kind).to_owned(),
                    retry_after: written.retry_after.map(Duration::from),
                }),
                None => return Err(problem("effect", "say how it fails with `kind`")),
            },
            Written::Slow => match &written.latency {
                Some(written) => Effect::Slow(latency(written)),
                None => {
                    return Err(problem(
                        "effect",
                        "say how much longer it takes with `latency`",
                    ));
                }
            },
            Written::Hang => Effect::Hang,
            Written::LoseAnswer => Effect::LoseAnswer,
            Written::Cut => Effect::Cut,
            Written::Tear => Effect::Tear,
            Written::IgnoreCondition => Effect::IgnoreCondition,
            Written::Race => Effect::Race(content()?),
            Written::Clobber => Effect::Clobber(content()?),
            Written::Late => match written.by {
                Some(by) => Effect::Late(by.into()),
                None => return Err(problem("effect", "say how much later it is done with `by`")),
            },
        };
        Ok(Fault {
            from,
            until,
            operations: written.operations.clone().unwrap_or_default(),
            keys: self.glob(&["faults", &number, "keys"], written.keys.as_deref())?,
            nodes: self.glob(&["faults", &number, "nodes"], written.nodes.as_deref())?,
            in_a_million,
            after: written.after.unwrap_or_default(),
            count: written.count,
            effect,
        })
    }

    fn glob(&self, path: &[&str], text: Option<&str>) -> Result<Option<GlobMatcher>, Problem> {
        let Some(text) = text else { return Ok(None) };
        let glob = GlobBuilder::new(text).literal_separator(true).build();
        glob.map(|glob| Some(glob.compile_matcher()))
            .map_err(|error| {
                self.source
                    .problem(path, format!("is no glob: {}", error.kind()))
            })
    }

    fn steps(&self, until: Duration) -> Result<Vec<Step>, Problem> {
        let mut last = Duration::ZERO;
        let mut steps = Vec::new();
        for (at, written) in self.file.timeline.iter().enumerate() {
            let step = self.step(at, written)?;
            let number = at.to_string();
            let problem =
                |message: String| Err(self.source.problem(&["timeline", &number, "at"], message));
            if step.at > until {
                let until = humantime::format_duration(until);
                return problem(format!("happens after the end (`until` is {until})"));
            }
            if step.at < last {
                let last = humantime::format_duration(last);
                return problem(format!("happens before the step above it, at {last}"));
            }
            last = step.at;
            steps.push(step);
        }
        Ok(steps)
    }

    /// The steps with what the nodes do by themselves: agents start behind what is there from the beginning, and before
    /// whatever else is done at the same time.
    fn with_starts(&self, written: Vec<Step>, until: Duration) -> Vec<Step> {
        let mut ranked: Vec<(u8, Step)> = Vec::new();
        for node in &self.nodes {
            let mut add = |rank: u8, at: Duration, deed: Deed| {
                let node = node.name.clone();
                ranked.push((rank, Step { at, node, deed }));
            };
            let behind = |at: Duration| if at.is_zero() { 2 } else { 0 };
            if let Some(identified) = node.identified {
                add(0, Duration::ZERO, Deed::Identity(false));
                add(behind(identified), identified, Deed::Identity(true));
            }
            add(behind(node.starts), node.starts, Deed::Start);
        }
        ranked.extend(written.into_iter().map(|step| (1, step)));
        ranked.retain(|(_, step)| step.at <= until);
        ranked.sort_by_key(|(rank, step)| (step.at, *rank));
        ranked.into_iter().map(|(_, step)| step).collect()
    }

    fn step(&self, at: usize, written: &file::Step) -> Result<Step, Problem> {
        let number = at.to_string();
        let here = ["timeline", number.as_str()];
        let problem = |key: &str, message: &str| {
            self.source
                .problem(&["timeline", number.as_str(), key], message)
        };
        self.only_known_keys(&number, written)?;
        let node = match &written.node {
            Some(node) => node.clone(),
            None => self
                .nodes
                .first()
                .map_or_else(|| ONLY_NODE.to_owned(), |node| node.name.clone()),
        };
        let lives_here = self.nodes.iter().any(|known| known.name == node);
        if !lives_here && !matches!(written.action, Action::Publish) {
            return Err(problem("node", &self.unknown_node(&node)));
        }
        let stream = || match &written.stream {
            Some(text) => Ok(stream_of(text)),
            None => Err(problem("do", "say which stream with `stream`")),
        };
        let key = || match written.key.as_deref().map(Key::parse) {
            Some(Ok(key)) => Ok(key),
            Some(Err(error)) => Err(problem("key", &format!("is no key: {error}"))),
            None => Err(problem("do", "say which object with `key`")),
        };
        let content = || {
            self.content(
                &here,
                written.fields.as_ref(),
                written.text.as_ref(),
                written.file.as_ref(),
            )
        };
        let cause = || {
            let cause = written.cause.clone();
            cause.unwrap_or_else(|| "permission denied".to_owned())
        };
        let deed = match written.action {
            Action::Stage => Deed::Stage(stream()?, content()?),
            Action::Tear => Deed::Tear(stream()?, content()?),
            Action::Unreadable => Deed::Unreadable(stream()?, cause()),
            Action::Unstage => Deed::Unstage(stream()?),
            Action::Data => match written.files {
                Some(files) => Deed::Data(stream()?, files),
                None => return Err(problem("do", "say how many wait with `files`")),
            },
            Action::Remove => Deed::Remove(stream()?),
            Action::CreateStream => Deed::CreateStream(stream()?),
            Action::DeleteStream => Deed::DeleteStream(stream()?),
            Action::Publish if written.base == Some(true) => {
                Deed::PublishBase(stream()?, content()?)
            }
            Action::Publish => Deed::Publish(stream()?, content()?),
            Action::Put => Deed::Put(key()?, content()?),
            Action::Delete => Deed::Delete(key()?),
            Action::Start => Deed::Start,
            Action::Stop => Deed::Stop,
            Action::Crash => Deed::Crash,
            Action::Skew => match &written.ahead {
                Some(text) => {
                    Deed::Skew(ahead(text).map_err(|message| problem("ahead", &message))?)
                }
                None => return Err(problem("do", "say how much with `ahead`")),
            },
            Action::FailStaging => Deed::Staging(Some(cause())),
            Action::HealStaging => Deed::Staging(None),
        };
        Ok(Step {
            at: written.at.into(),
            node,
            deed,
        })
    }

    /// Refuses keys that say nothing about what is done.
    fn only_known_keys(&self, number: &str, written: &file::Step) -> Result<(), Problem> {
        use Action::{
            CreateStream, Data, Delete, DeleteStream, FailStaging, Publish, Put, Remove, Skew,
            Stage, Tear, Unreadable, Unstage,
        };
        let of_streams = [
            Stage,
            Tear,
            Unreadable,
            Unstage,
            Data,
            Remove,
            CreateStream,
            DeleteStream,
            Publish,
        ];
        let with_content = [Stage, Tear, Publish, Put];
        let keys: [(&str, bool, &[Action]); 9] = [
            ("stream", written.stream.is_some(), &of_streams),
            ("fields", written.fields.is_some(), &with_content),
            ("text", written.text.is_some(), &with_content),
            ("file", written.file.is_some(), &with_content),
            ("files", written.files.is_some(), &[Data]),
            ("key", written.key.is_some(), &[Put, Delete]),
            ("base", written.base.is_some(), &[Publish]),
            ("ahead", written.ahead.is_some(), &[Skew]),
            ("cause", written.cause.is_some(), &[Unreadable, FailStaging]),
        ];
        for (key, is_written, actions) in keys {
            if is_written && !actions.contains(&written.action) {
                let message = format!("`{key}` means nothing with this `do`");
                return Err(self.source.problem(&["timeline", number, key], message));
            }
        }
        Ok(())
    }

    /// A content that is written in one of three ways.
    fn content(
        &self,
        path: &[&str],
        fields: Option<&BTreeMap<String, String>>,
        text: Option<&String>,
        file: Option<&String>,
    ) -> Result<Bytes, Problem> {
        let at = |key: &'static str| [path, &[key]].concat();
        match (fields, text, file) {
            (Some(fields), None, None) => Ok(self.schema(&at("fields"), fields)?.to_json()),
            (None, Some(text), None) => Ok(text.clone().into()),
            (None, None, Some(name)) => self.read_file(&at("file"), name),
            (None, None, None) => Err(self
                .source
                .problem(path, "say what it holds: `fields`, `text` or `file`")),
            _ => Err(self.source.problem(
                path,
                "one of `fields`, `text` and `file` says what it holds, not several",
            )),
        }
    }

    fn schema(&self, path: &[&str], fields: &BTreeMap<String, String>) -> Result<Schema, Problem> {
        content::schema(fields).map_err(|(field, message)| {
            let place = [path, &[field.as_str()]].concat();
            self.source.problem(&place, message)
        })
    }

    fn read_file(&self, path: &[&str], name: &str) -> Result<Bytes, Problem> {
        let named = self.dir.join(name);
        let size = std::fs::metadata(&named).map(|found| found.len());
        let read = match size {
            Ok(size) if size > MAX_CONTENT => {
                let message = format!("{} is over {MAX_CONTENT} bytes", named.display());
                return Err(self.source.problem(path, message));
            }
            Ok(_) => std::fs::read(&named),
            Err(error) => Err(error),
        };
        read.map(Bytes::from).map_err(|error| {
            let message = format!("can't read {}: {error}", named.display());
            self.source.problem(path, message)
        })
    }

    fn unknown_node(&self, name: &str) -> String {
        let known: Vec<_> = self.nodes.iter().map(|node| node.name.as_str()).collect();
        format!(
            "no node with an agent is named `{name}`; there is {}",
            known.join(", ")
        )
    }

    fn expectations(
        &self,
        until: Duration,
        known: &Streams,
        settings: &Settings,
    ) -> Result<Vec<Expectation>, Problem> {
        let written = self.file.expect.iter().enumerate();
        written
            .map(|(at, written)| self.expectation(at, written, until, known, settings))
            .collect()
    }

    fn expectation(
        &self,
        at: usize,
        written: &file::Expect,
        end: Duration,
        known: &Streams,
        settings: &Settings,
    ) -> Result<Expectation, Problem> {
        let number = at.to_string();
        let problem = |key: &str, message: &str| {
            self.source
                .problem(&["expect", number.as_str(), key], message)
        };
        let scope = self.scope(&number, written, known, settings)?;
        let moment = |key: &str, moment: Option<crate::config::Length>| match moment {
            Some(moment) if Duration::from(moment) > end => {
                let end = humantime::format_duration(end);
                Err(problem(
                    key,
                    &format!("lies after the end (`until` is {end})"),
                ))
            }
            moment => Ok(moment.map(Duration::from)),
        };
        let (at, by) = (moment("at", written.at)?, moment("by", written.by)?);
        moment("from", written.from)?;
        moment("until", written.until)?;
        let when = match (at, by) {
            (Some(_), Some(_)) => {
                return Err(problem("by", "either `at` or `by` says when, not both"));
            }
            (None, Some(by)) => When::By(by),
            (at, None) => When::At(at.unwrap_or(end)),
        };
        let mut subjects = Vec::new();
        let mut add = |key: &'static str, expected: Expected| subjects.push((key, expected));
        if let Some(phase) = written.phase {
            add("phase", Expected::Phase(phase, when));
        }
        if let Some(never) = &written.never {
            add("never", Expected::Never(never.clone()));
        }
        for (key, names, among) in [
            ("verdicts", &written.verdicts, false),
            ("verdicts_among", &written.verdicts_among, true),
        ] {
            if let Some(names) = names {
                self.verdict_names(&number, key, names)?;
                let names = names.clone();
                add(key, Expected::Verdicts { names, among });
            }
        }
        if let Some(delays) = &written.delays {
            add(
                "delays",
                Expected::Delays {
                    min: delays.min.map(Duration::from),
                    max: delays.max.map(Duration::from),
                    reach: delays.reach.map(Duration::from),
                    count: bounds(delays.count),
                },
            );
        }
        if let Some(requests) = &written.requests {
            let keys = ["expect", number.as_str(), "requests", "keys"];
            add(
                "requests",
                Expected::Requests {
                    operations: requests.operations.clone().unwrap_or_default(),
                    keys: self.glob(&keys, requests.keys.as_deref())?,
                    outcome: requests.outcome,
                    count: Bounds {
                        min: requests.min,
                        max: requests.max,
                    },
                },
            );
        }
        if let Some(key) = &written.object {
            let key = Key::parse(key)
                .map_err(|error| problem("object", &format!("is no key: {error}")))?;
            let content = match (&written.fields, &written.text, written.absent) {
                (Some(fields), None, None) => ExpectedContent::Schema(
                    self.schema(&["expect", number.as_str(), "fields"], fields)?,
                ),
                (None, Some(text), None) => ExpectedContent::Text(text.clone().into()),
                (None, None, Some(true)) => ExpectedContent::Nothing,
                (None, None, Some(false)) => ExpectedContent::Anything,
                _ => {
                    let message = "one of `fields`, `text` and `absent` says what stands there";
                    return Err(problem("object", message));
                }
            };
            let at = match when {
                When::At(at) => at,
                When::By(_) => return Err(problem("by", "an object is looked at `at` a moment")),
            };
            add("object", Expected::Object { key, content, at });
        } else if written.fields.is_some() || written.text.is_some() || written.absent.is_some() {
            let message = "`fields`, `text` and `absent` belong to `object`";
            return Err(self.source.problem(&["expect", &number], message));
        }
        if let Some(words) = &written.warns {
            add("warns", Expected::Warns(words.clone()));
        }
        if written.silent == Some(true) {
            add("silent", Expected::Silent);
        }
        if written.no_overwrite == Some(true) {
            add("no_overwrite", Expected::NoOverwrite);
        }
        if let Some(budget) = &written.budget {
            add(
                "budget",
                Expected::Budget {
                    fuel: budget.fuel,
                    memory: budget.memory.map(u64::from),
                    host_calls: budget.host_calls,
                },
            );
        }
        if let Some(range) = written.failed_calls {
            add("failed_calls", Expected::FailedCalls(bounds(Some(range))));
        }
        if let Some(words) = &written.ends {
            add("ends", Expected::Ends(words.clone()));
        }
        if let Some(properties) = &written.property {
            let properties = self.properties(&number, properties)?;
            add("property", Expected::Properties(properties));
        }
        let what = match subjects.len() {
            0 => {
                let message =
                    "an expectation says what is expected: `phase`, `verdicts`, `requests`, …";
                return Err(self.source.problem(&["expect", &number], message));
            }
            1 => subjects.remove(0).1,
            _ => {
                let (key, _) = subjects.remove(1);
                return Err(problem(
                    key,
                    "one expectation says one thing: write another one",
                ));
            }
        };
        self.only_what_narrows(&number, written, &what)?;
        if matches!(what, Expected::Phase(..) | Expected::Never(_)) && scope.stream.is_none() {
            return Err(self
                .source
                .problem(&["expect", &number], "say which stream with `stream`"));
        }
        let line = self.source.problem(&["expect", &number], "").line;
        Ok(Expectation { line, scope, what })
    }

    /// Refuses keys that say nothing about what is expected.
    fn only_what_narrows(
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

    fn scope(
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

    fn properties(&self, number: &str, written: &file::Properties) -> Result<Properties, Problem> {
        let here = ["expect", number, "property"];
        let unknown = |path: &[&str], name: &str| {
            let known = Property::ALL.into_iter().map(Property::name);
            let known = known.chain([file::ALL_PROPERTIES]);
            let message = format!("`{name}` is no property; {}", suggest(name, known));
            self.source.problem(path, message)
        };
        let names = match written {
            file::Properties::One(name) if name == file::ALL_PROPERTIES => {
                return Ok(Properties::All);
            }
            file::Properties::One(name) => {
                let property = Property::named(name).ok_or_else(|| unknown(&here, name))?;
                return Ok(Properties::These(vec![property]));
            }
            file::Properties::Several(names) => names,
        };
        if names.is_empty() {
            let message = "name a property, or `\"all\"` of them";
            return Err(self.source.problem(&here, message));
        }
        let of = names.iter().enumerate().map(|(at, name)| {
            let at = at.to_string();
            let place = [here.as_slice(), &[at.as_str()]].concat();
            Property::named(name).ok_or_else(|| unknown(&place, name))
        });
        Ok(Properties::These(of.collect::<Result<_, _>>()?))
    }

    fn verdict_names(
        &self,
        number: &str,
        key: &'static str,
        names: &[String],
    ) -> Result<(), Problem> {
        for (at, name) in names.iter().enumerate() {
            if !VERDICTS.contains(&name.as_str()) {
                let message = format!(
                    "`{name}` is no verdict; expected one of {}",
                    VERDICTS.join(", ")
                );
                let at = at.to_string();
                return Err(self.source.problem(&["expect", number, key, &at], message));
            }
        }
        Ok(())
    }
}

/// The names of verdicts, and the one for the host's default.
const VERDICTS: [&str; 14] = [
    "present",
    "absent",
    "not-expected",
    "unsettled",
    "skip",
    "named",
    "object",
    "peers",
    "document",
    "after",
    "on-change",
    "abandon",
    "abstain",
    super::judge::NO_VERDICT,
];

fn bounds(range: Option<file::Range>) -> Bounds {
    range.map_or(Bounds::default(), |range| Bounds {
        min: range.min,
        max: range.max,
    })
}

fn latency(written: &file::Latency) -> Latency {
    match written {
        file::Latency::Constant(length) => Latency::constant((*length).into()),
        file::Latency::Quantiles(quantiles) => {
            let p50 = Duration::from(quantiles.p50);
            let or = |length: Option<crate::config::Length>, other: Duration| {
                length.map_or(other, Duration::from)
            };
            let p99 = or(quantiles.p99, p50);
            Latency::quantiles(or(quantiles.min, p50), p50, p99, or(quantiles.max, p99))
        }
    }
}

fn message_of(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Timeout => "no answer in time",
        FailureKind::Throttled => "503 SlowDown: reduce your request rate",
        FailureKind::Unavailable => "500 InternalError: try again",
        FailureKind::PermissionDenied => "403 AccessDenied",
        FailureKind::NotFound => "404 NoSuchBucket",
        FailureKind::PreconditionFailed => "412 PreconditionFailed",
        FailureKind::Other => "something went wrong",
    }
}

/// A stream as scenarios write it: `stream`, or `tenant/stream`.
fn stream_of(text: &str) -> StreamId {
    match text.split_once('/') {
        Some((tenant, name)) => StreamId::with_tenant(tenant, name),
        None => StreamId::new(text),
    }
}

/// A length of time with a sign, in milliseconds.
fn ahead(text: &str) -> Result<i64, String> {
    let (sign, length) = match text.strip_prefix('-') {
        Some(length) => (-1, length),
        None => (1, text),
    };
    let length: crate::config::Length = length.trim().parse()?;
    let millis = i64::try_from(Duration::from(length).as_millis());
    millis
        .map(|millis| sign * millis)
        .map_err(|_| "is too far away".to_owned())
}
