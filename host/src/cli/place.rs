//! Where in the configuration the cause of an agent's trouble is written.

use std::error::Error;
use std::fmt;

use crate::agent::AgentError;
use crate::config::{Problem, Settings, Source, StreamSettings};
use crate::contract::Role;
use crate::ledger::LedgerError;
use crate::policy::{Import, LoadError, LoadProblem, Offer, SettingsProblem, WrongRole};
use crate::storage::OpenError;

/// An error whose cause is written in the configuration, at these places.
#[derive(Debug)]
pub struct Placed {
    /// What is wrong, place by place; at least one.
    pub problems: Vec<Problem>,
    /// The error itself.
    pub error: Box<AgentError>,
}

impl fmt::Display for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problems: Vec<_> = self.problems.iter().map(Problem::to_string).collect();
        f.write_str(&problems.join("\n\n"))
    }
}

impl Error for Placed {
    /// The error's own words are among the problems', so only its cause follows.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

/// Where the error's cause is written; none when it is not the configuration's matter, or when that takes `settings` and
/// there are none.
pub(super) fn places(
    source: &Source,
    settings: Option<&Settings>,
    error: &AgentError,
) -> Vec<Problem> {
    match error {
        AgentError::Policy(error) => of_policy(source, error),
        AgentError::Role(error) => settings
            .map(|settings| of_role(source, settings, error))
            .unwrap_or_default(),
        AgentError::Store(error) => {
            let from_node = settings.is_some_and(|settings| !settings.store.names.is_of_the_file());
            vec![of_store(source, from_node, error)]
        }
        AgentError::Staging(_) => vec![source.problem(&["staging", "dir"], error.to_string())],
        AgentError::LedgerInside { .. } => of_ledger(source, error),
        AgentError::Ledger(ledger) if is_of_the_path(ledger) => of_ledger(source, error),
        _ => Vec::new(),
    }
}

/// The ledger's path, which has a default.
fn of_ledger(source: &Source, error: &AgentError) -> Vec<Problem> {
    let problem = source.written_problem(&["ledger", "path"], error.to_string());
    problem.into_iter().collect()
}

/// Whether another path, or another file there, is what a ledger needs.
fn is_of_the_path(error: &LedgerError) -> bool {
    use LedgerError::{
        Damaged, NameTooLong, Newer, NoDirectory, NotAFile, NotALedger, NotOpened, ReadOnly,
    };
    matches!(
        error,
        ReadOnly { .. }
            | NoDirectory(_)
            | NotAFile(_)
            | NameTooLong(_)
            | NotALedger(_)
            | Damaged { .. }
            | Newer { .. }
            | NotOpened { .. }
    )
}

/// The error with its places, where it has some.
pub(super) fn located(
    source: &Source,
    settings: &Settings,
    error: AgentError,
) -> super::CommandError {
    let problems = places(source, Some(settings), &error);
    match problems.is_empty() {
        true => error.into(),
        false => {
            let error = Box::new(error);
            Placed { problems, error }.into()
        }
    }
}

fn of_policy(source: &Source, error: &LoadError) -> Vec<Problem> {
    let name = error.policy.as_str();
    let key = match &error.problem {
        LoadProblem::Settings(problems) if !problems.is_empty() => {
            return problems
                .iter()
                .map(|problem| of_setting(source, name, problem))
                .collect();
        }
        LoadProblem::Settings(_) | LoadProblem::SettingsShape => "settings",
        LoadProblem::Grants(_) => "grants",
        LoadProblem::Imports(imports) if imports.iter().all(is_granted) => "grants",
        LoadProblem::Limits(_) => "limits",
        LoadProblem::DigestMismatch { .. } => "sha256",
        _ => "component",
    };
    vec![source.problem(&["policies", name, key], error.to_string())]
}

fn is_granted(import: &Import) -> bool {
    matches!(import.offer, Offer::Offered | Offer::NeedsGrant)
}

fn of_setting(source: &Source, policy: &str, problem: &SettingsProblem) -> Problem {
    let segments: Vec<String> = problem.pointer.split('/').skip(1).map(unescaped).collect();
    let mut path = vec!["policies", policy, "settings"];
    path.extend(segments.iter().map(String::as_str));
    let message = match problem.pointer.as_str() {
        "" => format!(
            "policy `{policy}` refuses its settings: {}",
            problem.message
        ),
        pointer => format!("policy `{policy}` refuses `{pointer}`: {}", problem.message),
    };
    source.problem(&path, message)
}

/// A segment of a JSON Pointer (RFC 6901) as the key that it means.
fn unescaped(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

/// Every place where a chain of this role has the policy.
fn of_role(source: &Source, settings: &Settings, error: &WrongRole) -> Vec<Problem> {
    let role = error.role;
    let chain = |streams: &StreamSettings| match role {
        Role::Existence => streams.existence.clone(),
        Role::Fallback => streams.fallback.clone(),
        Role::Retry => streams.retry.clone(),
    };
    let general = chain(&settings.streams);
    let rules = settings.rules.iter().enumerate().filter_map(|(at, rule)| {
        let names = chain(rule.settings.as_ref()?);
        (names != general).then(|| (vec!["rules".to_owned(), at.to_string()], names))
    });
    let mut problems = Vec::new();
    for (table, names) in std::iter::once((vec!["sync".to_owned()], general.clone())).chain(rules) {
        for (at, _) in names
            .iter()
            .enumerate()
            .filter(|(_, name)| **name == *error.policy)
        {
            let at = at.to_string();
            let mut path: Vec<&str> = table.iter().map(String::as_str).collect();
            path.extend([role.name(), &at]);
            problems.push(source.problem(&path, error.to_string()));
        }
    }
    problems
}

fn of_store(source: &Source, from_node: bool, error: &OpenError) -> Problem {
    let message = error.to_string();
    match error {
        OpenError::Option { key, .. } | OpenError::Value { key, .. } => {
            source.problem(&["store", "options", key], message)
        }
        OpenError::OptionFile { key, .. } => {
            source.problem(&["store", "option_files", key], message)
        }
        OpenError::NoScratch { .. }
        | OpenError::Scratch { .. }
        | OpenError::ScratchInside { .. }
        | OpenError::ScratchElsewhere { .. } => {
            source.problem(&["store", "options", "scratch"], message)
        }
        OpenError::Ca(_) | OpenError::UnusedCa { .. } => {
            source.problem(&["store", "ca_file"], message)
        }
        OpenError::Settings { .. } => source.problem(&["store"], message),
        // The one of both that the file has.
        _ => match from_node {
            true => source.problem(&["store", "from"], message),
            false => source.problem(&["store", "url"], message),
        },
    }
}
