use crate::agent::AgentError;
use crate::policy::{LoadError, LoadProblem, RuntimeError};

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The policy can't be used.
    #[error(transparent)]
    Load(LoadError),
    /// The policy refuses its settings.
    #[error(
        "{0}\ngive it others with `--settings JSON`, or measure it by its scenarios with `--scenarios DIR`"
    )]
    Settings(LoadError),
    /// The component can't be read.
    #[error("can't measure `{component}`")]
    Read {
        /// The component.
        component: String,
        /// Why.
        source: LoadProblem,
    },
    /// Policies of a scenario can't be used.
    #[error("can't play the scenario `{scenario}`")]
    Scenario {
        /// Its name.
        scenario: String,
        /// Why.
        source: Box<AgentError>,
    },
    /// No scenario has the component.
    #[error(
        "none of the scenarios has `{0}` as the component of a policy: say with `--policy NAME` in whose place it is \
         measured"
    )]
    NotThere(String),
    /// No scenario has a policy of this name.
    #[error("no scenario has a policy named `{0}`")]
    NoSuchName(String),
    /// The scenarios never ask it.
    #[error("the scenarios ask it nothing: they have no decision to measure")]
    NeverAsked,
    /// The machine.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// Where compiled components are kept meanwhile.
    #[error("can't keep compiled components meanwhile")]
    Cache(#[source] std::io::Error),
    /// A scenario's world ended in a defect.
    #[error("a scenario was not played to its end")]
    Defect(#[source] tokio::task::JoinError),
}

impl From<LoadError> for BenchError {
    fn from(error: LoadError) -> Self {
        match error.problem {
            LoadProblem::Settings(_) => BenchError::Settings(error),
            _ => BenchError::Load(error),
        }
    }
}
