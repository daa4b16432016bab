//! `[sync]`, `[schemas]` and `[[rules]]`: what holds for which streams.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use globset::{GlobBuilder, GlobMatcher};

use super::file::{self, File};
use super::problems::Found;
use super::reader::Reader;
use super::source::{Problem, suggest};
use crate::files::read_regular;
use crate::schema::Schema;
use crate::sync::Matcher;
use crate::sync::machine::{Repair, Rules};
use crate::time::in_full;

/// What holds for a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamSettings {
    /// The existence chain, by the policies' names.
    pub existence: Vec<String>,
    /// The fallback chain.
    pub fallback: Vec<String>,
    /// The retry chain.
    pub retry: Vec<String>,
    /// Bounds and switches.
    pub rules: Rules,
    /// The default schemas that fallbacks may choose from, by name.
    pub schemas: BTreeMap<String, Schema>,
    /// Nodes that are not compared with.
    pub ignore_peers: BTreeSet<String>,
}

/// One of `[[rules]]`.
#[derive(Clone, Debug)]
pub struct RuleSettings {
    /// Which streams it is for.
    pub matcher: Matcher,
    /// What holds for them; `None` leaves them alone.
    pub settings: Option<StreamSettings>,
}

/// What holds for streams that no rule matches. A part that is wrong is put aside, and its default takes its place.
pub(super) fn general(reader: &Reader<'_>, file: &File, found: &Found) -> StreamSettings {
    let sync = file.sync.as_ref();
    let chain = |chosen: Option<&Vec<String>>, default: &str| {
        chosen.cloned().unwrap_or_else(|| vec![default.to_owned()])
    };
    let defaults = Rules::default();
    let positive = |key, length: Option<super::Length>, default: Duration| {
        let length = reader.positive(&["sync", key], length, default);
        found.keep(length).unwrap_or(default)
    };
    let mut rules = Rules {
        check_peers: sync
            .and_then(|sync| sync.check_peers)
            .unwrap_or(defaults.check_peers),
        check_peers_interval: positive(
            "check_peers_interval",
            sync.and_then(|sync| sync.check_peers_interval),
            defaults.check_peers_interval,
        ),
        allow_new_fields: sync
            .and_then(|sync| sync.allow_new_fields)
            .unwrap_or(defaults.allow_new_fields),
        recheck: positive(
            "recheck_interval",
            sync.and_then(|sync| sync.recheck_interval),
            defaults.recheck,
        ),
        clock_tolerance: sync
            .and_then(|sync| sync.clock_tolerance)
            .map_or(defaults.clock_tolerance, |length| length.0),
        repair: match file.verify.as_ref().and_then(|verify| verify.repair) {
            Some(file::Repair::Off) => Repair::Off,
            Some(file::Repair::Missing) | None => Repair::Missing,
            Some(file::Repair::All) => Repair::All,
        },
        ..defaults
    };
    let written = sync.and_then(|sync| sync.bounds.as_ref());
    found.keep(bounds(reader, &["sync"], written, &mut rules));
    StreamSettings {
        existence: chain(sync.and_then(|sync| sync.existence.as_ref()), "presence"),
        fallback: chain(sync.and_then(|sync| sync.fallback.as_ref()), "ladder"),
        retry: chain(sync.and_then(|sync| sync.retry.as_ref()), "backoff"),
        rules,
        schemas: schemas(reader, file, found),
        ignore_peers: sync
            .and_then(|sync| sync.ignore_peers.as_ref())
            .map(|nodes| nodes.iter().cloned().collect())
            .unwrap_or_default(),
    }
}

/// What holds for those that a rule matches, rule by rule.
pub(super) fn rules(
    reader: &Reader<'_>,
    file: &File,
    general: &StreamSettings,
    found: &Found,
) -> Vec<RuleSettings> {
    file.rules
        .iter()
        .enumerate()
        .map(|(at, rule)| one_rule(reader, file, &at.to_string(), rule, general, found))
        .collect()
}

fn one_rule(
    reader: &Reader<'_>,
    file: &File,
    at: &str,
    rule: &file::Rule,
    general: &StreamSettings,
    found: &Found,
) -> RuleSettings {
    if rule.streams.is_none() && rule.tenants.is_none() {
        let message =
            "a rule without `streams` and `tenants` matches everything: write it in [sync]";
        found.keep::<()>(Err(reader.problem(&["rules", at], message)));
    }
    let all = ["*".to_owned()];
    let matcher = Matcher {
        streams: globs(
            reader,
            at,
            "streams",
            rule.streams.as_deref().unwrap_or(&all),
            found,
        ),
        tenants: globs(
            reader,
            at,
            "tenants",
            rule.tenants.as_deref().unwrap_or_default(),
            found,
        ),
    };
    if rule.ignore == Some(true) {
        return RuleSettings {
            matcher,
            settings: None,
        };
    }
    let mut settings = general.clone();
    for (chain, chosen) in [
        (&mut settings.existence, &rule.existence),
        (&mut settings.fallback, &rule.fallback),
        (&mut settings.retry, &rule.retry),
    ] {
        if let Some(chosen) = chosen {
            chain.clone_from(chosen);
        }
    }
    settings.rules.allow_new_fields = rule
        .allow_new_fields
        .unwrap_or(settings.rules.allow_new_fields);
    settings.rules.check_peers = rule.check_peers.unwrap_or(settings.rules.check_peers);
    found.keep(bounds(
        reader,
        &["rules", at],
        rule.bounds.as_ref(),
        &mut settings.rules,
    ));
    if let Some(names) = &rule.schemas {
        settings.schemas = BTreeMap::new();
        for (position, name) in names.iter().enumerate() {
            match general.schemas.get(name) {
                Some(schema) => _ = settings.schemas.insert(name.clone(), schema.clone()),
                // One that is defined and wrong was reported where it is defined.
                None if file.schemas.contains_key(name) => {}
                None => {
                    let known = file.schemas.keys().map(String::as_str);
                    let message = format!("no schema is named `{name}`; {}", suggest(name, known));
                    let place = ["rules", at, "schemas", &position.to_string()];
                    found.keep::<()>(Err(reader.problem(&place, message)));
                }
            }
        }
    }
    RuleSettings {
        matcher,
        settings: Some(settings),
    }
}

fn globs(
    reader: &Reader<'_>,
    rule: &str,
    key: &str,
    globs: &[String],
    found: &Found,
) -> Vec<GlobMatcher> {
    let parse = |(at, text): (usize, &String)| {
        let glob = GlobBuilder::new(text).literal_separator(true).build();
        found.keep(glob.map(|glob| glob.compile_matcher()).map_err(|error| {
            reader.problem(
                &["rules", rule, key, &at.to_string()],
                format!("`{text}` is not a valid glob: {}", error.kind()),
            )
        }))
    };
    globs.iter().enumerate().filter_map(parse).collect()
}

fn bounds(
    reader: &Reader<'_>,
    table: &[&str],
    bounds: Option<&file::Bounds>,
    rules: &mut Rules,
) -> Result<(), Problem> {
    let Some(bounds) = bounds else { return Ok(()) };
    let path = |key: &'static str| {
        table
            .iter()
            .copied()
            .chain(["bounds", key])
            .collect::<Vec<_>>()
    };
    let min_delay = bounds.min_delay.map_or(rules.min_delay, |length| length.0);
    let max_delay = bounds.max_delay.map_or(rules.max_delay, |length| length.0);
    if min_delay.is_zero() {
        return Err(reader.problem(
            &path("min_delay"),
            "`min_delay` must be more than 0s: it keeps the store from being hammered",
        ));
    }
    if max_delay < min_delay {
        let (min, max) = (in_full(min_delay), in_full(max_delay));
        let (key, message) = match (bounds.min_delay, bounds.max_delay) {
            // What is not written here is that of [sync], or the default.
            (Some(_), None) => (
                "min_delay",
                format!(
                    "`min_delay` must not be more than `max_delay`, which is {max}: lower it, or write `max_delay` too"
                ),
            ),
            (None, Some(_)) => (
                "max_delay",
                format!(
                    "`max_delay` must not be less than `min_delay`, which is {min}: raise it, or write `min_delay` too"
                ),
            ),
            _ => (
                "max_delay",
                format!("`max_delay` must not be less than `min_delay`, which is {min}"),
            ),
        };
        return Err(reader.problem(&path(key), message));
    }
    (rules.min_delay, rules.max_delay) = (min_delay, max_delay);
    Ok(())
}

fn schemas(reader: &Reader<'_>, file: &File, found: &Found) -> BTreeMap<String, Schema> {
    let read = |(name, schema): (&String, &file::Schema)| {
        let schema = found.keep(schema_of(reader, name, schema))?;
        Some((name.clone(), schema))
    };
    file.schemas.iter().filter_map(read).collect()
}

/// The largest file with a default schema, in bytes: as large as a staged schema may be by default.
const MAX_DEFAULT_SCHEMA: u64 = 8 * 1024 * 1024;

fn schema_of(reader: &Reader<'_>, name: &str, schema: &file::Schema) -> Result<Schema, Problem> {
    let (key, bytes) = match (&schema.inline, &schema.file) {
        (Some(inline), None) => ("inline", inline.clone().into_bytes()),
        (None, Some(path)) => {
            let bad = |why: String| {
                let text = format!("can't read {}: {why}", path.display());
                reader.problem(&["schemas", name, "file"], text)
            };
            let path = reader.written_path(&["schemas", name, "file"], path)?;
            let bytes =
                read_regular(&path, MAX_DEFAULT_SCHEMA).map_err(|error| bad(error.to_string()))?;
            if bytes.len() as u64 > MAX_DEFAULT_SCHEMA {
                return Err(bad(format!("it is over {MAX_DEFAULT_SCHEMA} bytes")));
            }
            ("file", bytes)
        }
        _ => return Err(reader.problem(&["schemas", name], "write either `inline` or `file`")),
    };
    Schema::parse(&bytes).map_err(|error| {
        reader.problem(
            &["schemas", name, key],
            format!("not an Arrow schema: {error}"),
        )
    })
}
