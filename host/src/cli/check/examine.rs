//! The checks that need no store.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::access;
use super::report::Report;
use crate::agent::{
    AgentError, Finding, Verdict, check_ledger_path, check_ledger_place, recognize,
    recognize_offline, runtime_settings, user_compile_cache, with_compile_cache_of_agent,
};
use crate::cli::exit::of_agent;
use crate::cli::output;
use crate::cli::place::places;
use crate::config::{Settings, Source, StreamSettings, Usable};
use crate::contract::Role;
use crate::ledger::{self, LedgerError};
use crate::policy::{Chain, ComponentSource, Offer, Policy, Runtime, RuntimeSettings};
use crate::staging::{Identity, Staging, StagingDir, StagingSettings};
use crate::storage::Store;
use crate::stream::{NodeId, StreamId};
use crate::time::SystemClock;

/// Reports an error, at its places in the configuration where it has some.
pub(super) fn refused(
    subject: &str,
    source: &Source,
    settings: Option<&Settings>,
    error: AgentError,
    report: &mut Report,
) {
    let code = of_agent(&error);
    let problems = places(source, settings, &error);
    if problems.is_empty() {
        report.failed(subject, output::causes(&error), code);
        return;
    }
    for mut problem in problems {
        if let Some(cause) = std::error::Error::source(&error) {
            problem.message = format!("{}: {}", problem.message, output::causes(cause));
        }
        report.problem(subject, &problem, code);
    }
}

/// The staging directory and whose it is.
pub(super) fn staging(
    source: &Source,
    settings: &StagingSettings,
    report: &mut Report,
) -> Option<NodeId> {
    let dir = settings.dir.display().to_string();
    let staging = match StagingDir::open_beside(settings.clone()) {
        Ok(staging) => staging,
        Err(error) => {
            refused("staging", source, None, error.into(), report);
            report.skipped("node", "not known without the staging directory");
            return None;
        }
    };
    report.ok("staging", format!("{dir} can be read"));
    match staging.identify() {
        Ok(Identity::Known(node)) => {
            report.ok("node", node.to_string());
            access::staged(&staging, &node, report);
            Some(node)
        }
        Ok(Identity::NotYet) => {
            report.warning(
                "node",
                "it has not written its identity into the staging directory yet; `tidegate run` waits for it",
            );
            None
        }
        Err(error) => {
            refused("node", source, None, error.into(), report);
            None
        }
    }
}

/// Where a stream's schema is read and written, by example.
pub(super) fn layout(settings: &Settings, node: Option<&NodeId>, report: &mut Report) {
    let layout = &settings.staging.layout;
    let example = NodeId::new("NODE");
    let node = node.unwrap_or(&example);
    let stream = match settings.staging.tenants {
        true => StreamId::with_tenant("TENANT", "STREAM"),
        false => StreamId::new("STREAM"),
    };
    match layout.keys(node, &stream) {
        Ok(keys) => report.ok(
            "layout",
            format!(
                "{}: {stream}/{} is published as {}",
                layout.name(),
                layout.staged_name(node),
                keys.schema
            ),
        ),
        Err(error) => report.failed("layout", output::causes(&error), crate::cli::USAGE),
    }
}

/// The ledger's place and content, as far as the usable parts of the configuration say them.
pub(super) fn ledger_of(source: &Source, usable: &Usable, report: &mut Report) {
    let Some(path) = &usable.ledger else {
        return;
    };
    let staging = usable.staging.as_ref().map(|staging| &*staging.dir);
    let store = usable.store.as_ref().map(|(store, _)| &*store.url);
    let error = match check_ledger_path(path, staging, store) {
        Ok(()) => ledger_at(source, path, None, report).map(AgentError::from),
        Err(error) => Some(error),
    };
    if let Some(error) = error {
        refused("ledger", source, None, error, report);
    }
}

/// Reports a ledger that can be used. Returns why another one can't be.
fn ledger_at(
    source: &Source,
    path: &Path,
    store: Option<&str>,
    report: &mut Report,
) -> Option<LedgerError> {
    let found = match ledger::examine(path, store) {
        Ok(found) => found,
        Err(error) => return Some(error),
    };
    let text = match found.exists {
        true => path.display().to_string(),
        false => format!("{} does not exist yet and will be created", path.display()),
    };
    report.ok("ledger", text);
    for warning in found.warnings {
        match source.written_problem(&["ledger", "path"], &warning) {
            Some(problem) => report.warned("ledger", &problem),
            None => report.warning("ledger", warning),
        }
    }
    None
}

/// The ledger's place and content.
pub(super) async fn ledger(
    source: &Source,
    settings: &Settings,
    store: Option<&Store>,
    online: bool,
    report: &mut Report,
) {
    let path = &settings.ledger.path;
    if let Err(error) = check_ledger_place(settings) {
        refused("ledger", source, Some(settings), error, report);
        return;
    }
    let id = store.map(|store| store.id().as_str());
    let Some(error) = ledger_at(source, path, id, report) else {
        return;
    };
    match (error, store) {
        (error @ LedgerError::OtherStore { .. }, Some(store)) => {
            match other_store(settings, store, online, report).await {
                Ok(true) => {}
                Ok(false) => refused("ledger", source, Some(settings), error.into(), report),
                Err(error) => refused("ledger", source, Some(settings), error, report),
            }
        }
        (error, _) => refused("ledger", source, Some(settings), error.into(), report),
    }
}

/// Reports what happens to a ledger that was made for a store of another name or address. False if that can't be known.
async fn other_store(
    settings: &Settings,
    store: &Store,
    online: bool,
    report: &mut Report,
) -> Result<bool, AgentError> {
    let found = match online {
        true => recognize(settings, store, false).await?,
        false => recognize_offline(settings, store)?,
    };
    let Some(recognition) = found else {
        return Ok(false);
    };
    let (path, recorded) = (settings.ledger.path.display(), &recognition.recorded);
    match recognition.verdict() {
        Verdict::NothingClaimed => report.ok(
            "ledger",
            format!("{path} was made for the store {recorded}, knows nothing of it, and will be used for this one"),
        ),
        Verdict::Same => report.ok(
            "ledger",
            format!(
                "{path} is about the store {recorded}, which is this one; compared streams that are the same: {} of {}",
                recognition.count(Finding::is_proof),
                recognition.compared.len()
            ),
        ),
        Verdict::Unproven if !online => report.warning(
            "ledger",
            format!("{path} is about the store {recorded}: whether this is the same is not known; `--online` compares them"),
        ),
        _ => {
            return match recognition.refusal(settings) {
                Some(refusal) => Err(refusal),
                None => Ok(false),
            };
        }
    }
    Ok(true)
}

/// Every policy and every chain.
pub(super) async fn policies(source: &Source, settings: &Settings, report: &mut Report) {
    let runtime = runtime_settings(settings, Arc::new(SystemClock::new()));
    let runtime = match Runtime::new(with_compile_cache_of_agent(runtime, settings)) {
        Ok(runtime) => runtime,
        Err(error) => return refused("policies", source, Some(settings), error.into(), report),
    };
    for (name, policy) in &settings.policies {
        let subject = format!("policy {name}");
        match runtime.load(policy).await {
            Ok(loaded) => {
                report.ok(&subject, in_words(&loaded, &policy.component.to_string()));
                tag_of(&loaded, &subject, report);
                chains_of(&loaded, source, settings, &subject, report);
            }
            Err(error) => refused(&subject, source, Some(settings), error.into(), report),
        }
    }
}

/// What is wrong with the policies whose own part of the configuration can be used.
pub(super) async fn policies_of(source: &Source, usable: &Usable, report: &mut Report) {
    let runtime = Runtime::new(RuntimeSettings {
        cache: user_compile_cache(),
        clock: Arc::new(SystemClock::new()),
        ..RuntimeSettings::default()
    });
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return refused("policies", source, None, error.into(), report),
    };
    for (name, policy) in &usable.policies {
        if let Err(error) = runtime.load(policy).await {
            refused(
                &format!("policy {name}"),
                source,
                None,
                error.into(),
                report,
            );
        }
    }
}

/// Whether the component is named by a tag, which moves.
fn tag_of(policy: &Policy, subject: &str, report: &mut Report) {
    let named = &policy.settings().component;
    if let (ComponentSource::Registry(reference, _), Some(pinned)) = (named, policy.pinned())
        && reference.digest().is_none()
    {
        report.warning(
            subject,
            format!("its tag may mean another component tomorrow; to stay with this one, write\ncomponent = \"{pinned}\""),
        );
    }
}

fn in_words(policy: &Policy, component: &str) -> String {
    let roles: Vec<&str> = policy.roles().iter().map(|role| role.name()).collect();
    let sha256 = policy.sha256().to_string();
    let mut imports = policy.imports().iter();
    let wasi = match imports.any(|import| import.offer == Offer::Sealed) {
        true => ", with sealed WASI",
        false => "",
    };
    let signed = policy.voucher().map(|key| format!(", signed by {key}"));
    format!(
        "{component} {}, {}{wasi}, sha256 {}…{}",
        policy.description().version,
        roles.join(" and "),
        sha256.get(..12).unwrap_or(&sha256),
        signed.unwrap_or_default()
    )
}

/// Whether the policy fills the role of each chain that it is in, and is in one at all.
fn chains_of(
    policy: &Policy,
    source: &Source,
    settings: &Settings,
    subject: &str,
    report: &mut Report,
) {
    let mut asked_for = BTreeSet::new();
    let rules = settings
        .rules
        .iter()
        .filter_map(|rule| rule.settings.as_ref());
    for streams in std::iter::once(&settings.streams).chain(rules) {
        for role in Role::ALL {
            if chain(streams, role)
                .iter()
                .any(|name| **name == **policy.name())
            {
                asked_for.insert(role.name());
            }
        }
    }
    if asked_for.is_empty() {
        report.warning(subject, "no chain names it: it is never asked");
    }
    for role in Role::ALL {
        if asked_for.contains(role.name())
            && let Err(error) = Chain::new(role, vec![policy.clone()])
        {
            refused(subject, source, Some(settings), error.into(), report);
        }
    }
}

fn chain(streams: &StreamSettings, role: Role) -> &[String] {
    match role {
        Role::Existence => &streams.existence,
        Role::Fallback => &streams.fallback,
        Role::Retry => &streams.retry,
    }
}
