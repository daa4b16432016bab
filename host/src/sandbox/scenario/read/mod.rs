//! From what is written to what it means.

mod contents;
mod expectations;
mod scope;
mod steps;
mod store;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use globset::{GlobBuilder, GlobMatcher};

use super::file::{self, File};
use super::model::Scenario;
use crate::config::{ConfigError, Problem, Settings, Source};
use crate::stream::StreamId;

/// The longest scenario.
pub const MAX_LENGTH: Duration = Duration::from_secs(366 * 24 * 3600);

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
            fault_lines: self.fault_lines(),
            nodes: self.nodes.iter().map(|node| node.name.clone()).collect(),
            streams,
            steps: self.with_starts(steps, until),
            expectations,
        })
    }

    fn fault_lines(&self) -> Vec<usize> {
        let line = |at: usize| self.source.problem(&["faults", &at.to_string()], "").line;
        (0..self.file.faults.len()).map(line).collect()
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

    fn glob(&self, path: &[&str], text: Option<&str>) -> Result<Option<GlobMatcher>, Problem> {
        let Some(text) = text else { return Ok(None) };
        let glob = GlobBuilder::new(text).literal_separator(true).build();
        glob.map(|glob| Some(glob.compile_matcher()))
            .map_err(|error| {
                self.source
                    .problem(path, format!("is no glob: {}", error.kind()))
            })
    }

    fn unknown_node(&self, name: &str) -> String {
        let known: Vec<_> = self.nodes.iter().map(|node| node.name.as_str()).collect();
        format!(
            "no node with an agent is named `{name}`; there is {}",
            known.join(", ")
        )
    }
}

/// A stream as scenarios write it: `stream`, or `tenant/stream`.
fn stream_of(text: &str) -> StreamId {
    match text.split_once('/') {
        Some((tenant, name)) => StreamId::with_tenant(tenant, name),
        None => StreamId::new(text),
    }
}
