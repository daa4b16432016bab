//! What is told of a simulated fleet: numbers, a verdict, and a page with plots that needs nothing but itself.

mod axis;
mod figures;
mod label;
mod numbers;
mod page;
mod plot;
mod verdict;
mod words;

use serde::Serialize;

pub use numbers::{Convergence, Herd, Numbers, PRICES, Peak};

use super::{Counts, Fleet};
use crate::config::Settings;

/// What came of one configuration, or of two.
#[derive(Debug)]
pub struct Report<'a> {
    fleet: &'a Fleet,
    runs: Vec<Run>,
}

/// What came of one configuration.
#[derive(Debug)]
struct Run {
    name: String,
    settings: Vec<String>,
    numbers: Numbers,
    counts: Counts,
}

/// `simulate --json`, version 1.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    version: u32,
    scenario: &'a str,
    nodes: u32,
    streams: u32,
    /// Nodes that share their streams.
    cluster: u32,
    hours: u64,
    seed: u64,
    verdict: String,
    runs: Vec<RunSummary<'a>>,
}

#[derive(Debug, Serialize)]
struct RunSummary<'a> {
    configuration: &'a str,
    #[serde(flatten)]
    numbers: &'a Numbers,
}

impl<'a> Report<'a> {
    /// A report of nothing yet.
    pub fn new(fleet: &'a Fleet) -> Self {
        Self {
            fleet,
            runs: Vec::new(),
        }
    }

    /// Adds what came of a configuration.
    pub fn add(&mut self, name: impl Into<String>, settings: &Settings, counts: Counts) {
        self.runs.push(Run {
            name: name.into(),
            settings: words::configuration(settings),
            numbers: Numbers::of(self.fleet, &counts),
            counts,
        });
    }

    /// One line: how it went, or which configuration is better in what.
    pub fn verdict(&self) -> String {
        match &*self.runs {
            [one, other] => {
                verdict::of_two((&one.name, &one.numbers), (&other.name, &other.numbers))
            }
            [one, ..] => verdict::of_one(&one.numbers),
            [] => "Nothing was simulated.".to_owned(),
        }
    }

    /// The numbers as JSON, for programs.
    ///
    /// # Errors
    ///
    /// A defect of ours.
    pub fn json(&self) -> serde_json::Result<String> {
        let runs = self.runs.iter().map(|run| RunSummary {
            configuration: &run.name,
            numbers: &run.numbers,
        });
        serde_json::to_string_pretty(&Summary {
            version: 1,
            scenario: &self.fleet.scenario.name,
            nodes: self.fleet.nodes,
            streams: self.fleet.streams,
            cluster: self.fleet.scenario.cluster,
            hours: self.fleet.length.as_secs() / 3600,
            seed: self.fleet.seed,
            verdict: self.verdict(),
            runs: runs.collect(),
        })
    }

    /// The numbers for people: what each is called, and one column for each configuration.
    pub fn rows(&self) -> Vec<(String, Vec<String>)> {
        page::rows(&self.runs)
    }

    /// The names of the configurations.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.runs.iter().map(|run| &*run.name)
    }

    /// The page.
    pub fn html(&self) -> String {
        page::html(self.fleet, &self.runs, &self.verdict())
    }
}
