use serde::{Deserialize, Serialize};

use super::stream::Purpose;
use crate::contract::{Choice, Failure, Trigger};

/// What the machine wants done. All but [`Effect::Note`] are answered with one event.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Read the staged file: answered by `Read`.
    ReadStaged,
    /// Ask the existence policies: answered by `Judged`.
    AskExistence(Trigger),
    /// Ask the fallback policies, with the reason for the absence: answered by `Chosen`.
    AskFallback(String),
    /// Ask the retry policies: answered by `Decided`.
    AskRetry(Failure),
    /// Look for the stream's marker: answered by `Marker`.
    CheckMarker(Purpose),
    /// GET this node's object: answered by `Fetched`.
    Fetch,
    /// HEAD this node's object: answered by `Headed`.
    Head,
    /// Fetch the peers' schemas and the base: answered by `Peers`.
    GatherPeers,
    /// The same with this node's own object: answered by `Peers`.
    GatherNodes,
    /// Resolve the choice into a document, and gather what its gates need: answered by `Proposed`.
    Resolve(Choice),
    /// Write the stored intent: answered by `Written`.
    Write,
    /// Tell people.
    Note(Note),
}

/// Something for people: the log, the history of attempts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// How loud.
    pub level: Level,
    /// What.
    pub text: String,
}

/// How loud a note is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The ordinary course of things.
    Info,
    /// Something an operator may want to know.
    Warning,
    /// Something an operator has to look at.
    Alert,
}
