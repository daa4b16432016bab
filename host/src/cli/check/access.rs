//! Checks whether this user can read and write what the agent needs.

use std::sync::Arc;

use rustix::fs::Access;
use url::Url;

use super::report::Report;
use crate::agent::{runtime_settings, with_compile_cache};
use crate::cli::{STORE, USAGE, known};
use crate::config::{Settings, Source};
use crate::policy::Runtime;
use crate::staging::{ReadError, SchemaStat, Staging, StagingDir};
use crate::stream::NodeId;
use crate::time::SystemClock;

/// What the operating system says of a missing right.
const DENIED: &str = "Permission denied";

/// How many unreadable streams are named.
const NAMED: usize = 8;

/// Reads what is staged, as the agent will.
pub(super) fn staged(staging: &StagingDir, node: &NodeId, report: &mut Report) {
    let mut unreadable = Vec::new();
    let mut too_large = Vec::new();
    let mut streams = Vec::new();
    let summary = staging.scan(node, &mut |staged| match staged.schema {
        SchemaStat::Unreadable(cause) => unreadable.push(format!("{}: {cause}", staged.stream)),
        SchemaStat::TooLarge(size) => {
            too_large.push(format!("{}: {size} bytes", staged.stream));
        }
        SchemaStat::File(_) => streams.push(staged.stream),
        SchemaStat::Missing => {}
    });
    let summary = match summary {
        Ok(summary) => summary,
        Err(error) => return report.failed("streams", crate::cli::output::causes(&error), USAGE),
    };
    for stream in streams {
        if let Err(ReadError::Unreadable(cause)) = staging.read_schema(node, &stream) {
            unreadable.push(format!("{stream}: {cause}"));
        }
    }
    unreadable.extend(summary.unreadable);
    let (denied, odd): (Vec<_>, Vec<_>) = unreadable
        .into_iter()
        .partition(|cause| cause.contains(DENIED));
    let of = |lines: &[String]| streams_of(lines.len());
    let problems = [
        (
            format!(
                "this user can't read what is staged for {}: run as the node's user, or give this one the right to read",
                of(&denied)
            ),
            denied,
        ),
        (
            format!(
                "what is staged as the schema of {} can't be read and is not published: see what it is",
                of(&odd)
            ),
            odd,
        ),
    ];
    for (text, lines) in problems.iter().filter(|(_, lines)| !lines.is_empty()) {
        report.failed("streams", format!("{text}\n{}", examples(lines)), USAGE);
    }
    if !too_large.is_empty() {
        let text = format!(
            "the staged schema of {} is over `staging.max_schema_size` and is not read\n{}",
            streams_of(too_large.len()),
            examples(&too_large)
        );
        report.warning("streams", text);
    }
    if summary.truncated {
        report.warning(
            "streams",
            format!(
                "there are more than {}, which is `staging.max_streams`: the others are left out",
                summary.streams
            ),
        );
    }
}

/// Checks whether the schemas of the staged streams can be written into a store of local files.
pub(super) fn store(settings: &Settings, node: &NodeId, report: &mut Report) {
    let url = Url::parse(&settings.store.url).ok();
    let Some(root) = url.filter(|url| url.scheme() == "file") else {
        return;
    };
    let Ok(root) = root.to_file_path() else {
        return;
    };
    // A directory that can't be read was reported before.
    let Ok(staged) = known::staged(node, settings) else {
        return;
    };
    let mut refused = Vec::new();
    for stream in staged {
        let Ok(keys) = settings.staging.layout.keys(node, &stream) else {
            continue;
        };
        let object = root.join(keys.schema.as_ref());
        // The directories below are created.
        let existing = object.ancestors().skip(1).find(|dir| dir.exists());
        let Some(dir) = existing.filter(|dir| dir.starts_with(&root)) else {
            continue;
        };
        if let Err(errno) = rustix::fs::access(dir, Access::WRITE_OK | Access::EXEC_OK) {
            refused.push(format!(
                "{}: {}",
                dir.display(),
                std::io::Error::from(errno)
            ));
        }
    }
    if !refused.is_empty() {
        let text = format!(
            "this user can't write the schemas of {}: run as the node's user, or give this one the right to write\n{}",
            streams_of(refused.len()),
            examples(&refused)
        );
        report.failed("store writes", text, STORE);
    }
}

/// Checks whether compiled policies can be kept. The agent works without.
pub(super) fn cache(source: &Source, settings: &Settings, report: &mut Report) {
    let runtime = runtime_settings(settings, Arc::new(SystemClock::new()));
    let Some(cache) = with_compile_cache(runtime, settings).cache else {
        return;
    };
    if let Err(error) = Runtime::examine_cache(&cache.directory) {
        let message = format!(
            "the cache {} can't be used, so each start compiles every policy: {error}",
            cache.directory.display()
        );
        match settings.runtime.cache {
            Some(_) => report.warned("cache", &source.problem(&["runtime", "cache"], message)),
            // The default has no place in the file.
            None => report.warning(
                "cache",
                format!("{message}; `runtime.cache` names another directory"),
            ),
        }
    }
}

fn streams_of(count: usize) -> String {
    match count {
        1 => "1 stream".to_owned(),
        count => format!("{count} streams"),
    }
}

fn examples(lines: &[String]) -> String {
    let mut text = lines
        .iter()
        .take(NAMED)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    if let Some(more) = lines.len().checked_sub(NAMED).filter(|more| *more > 0) {
        text.push_str(&format!("\nand {more} more"));
    }
    text
}
