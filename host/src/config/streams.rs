//! `[sync]`, `[schemas]` and `[[rules]]`: what holds for which streams.

use std::collections::{BTreeMap, BTreeSet};

use globset::{GlobBuilder, GlobMatcher};

use super::file::{self, File};
use super::settings::Reader;
use super::source::{Problem, suggest};
use crate::schema::Schema;
use crate::sync::Matcher;
use crate::sync::machine::{Repair, Rules};

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

pub(super) fn general(reader: &Reader<'_>, file: &File) -> Result<StreamSettings, Problem> {
    let sync = file.sync.as_ref();
    let chain = |chosen: Option<&Vec<String>>, default: &str| {
        chosen.cloned().unwrap_or_else(|| vec![default.to_owned()])
    };
    let defaults = Rules::default();
    let mut rules = Rules {
        check_peers: sync
            .and_then(|sync| sync.check_peers)
            .unwrap_or(defaults.check_peers),
        check_peers_interval: reader.positive(
            &["sync", "check_peers_interval"],
            sync.and_then(|sync| sync.check_peers_interval),
            defaults.check_peers_interval.as_secs(),
        )?,
        allow_new_fields: sync
            .and_then(|sync| sync.allow_new_fields)
            .unwrap_or(defaults.allow_new_fields),
        recheck: reader.positive(
            &["sync", "recheck_interval"],
            sync.and_then(|sync| sync.recheck_interval),
            defaults.recheck.as_secs(),
        )?,
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
    bounds(
        reader,
        &["sync"],
        sync.and_then(|sync| sync.bounds.as_ref()),
        &mut rules,
    )?;
    Ok(StreamSettings {
        existence: chain(sync.and_then(|sync| sync.existence.as_ref()), "presence"),
        fallback: chain(sync.and_then(|sync| sync.fallback.as_ref()), "ladder"),
        retry: chain(sync.and_then(|sync| sync.retry.as_ref()), "backoff"),
        rules,
        schemas: schemas(reader, file)?,
        ignore_peers: sync
            .and_then(|sync| sync.ignore_peers.as_ref())
            .map(|nodes| nodes.iter().cloned().collect())
            .unwrap_or_default(),
    })
}

pub(super) fn rules(
    reader: &Reader<'_>,
    file: &File,
    general: &StreamSettings,
) -> Result<Vec<RuleSettings>, Problem> {
    file.rules
        .iter()
        .enumerate()
        .map(|(at, rule)| one_rule(reader, &at.to_string(), rule, general))
        .collect()
}

fn one_rule(
    reader: &Reader<'_>,
    at: &str,
    rule: &file::Rule,
    general: &StreamSettings,
) -> Result<RuleSettings, Problem> {
    if rule.streams.is_none() && rule.tenants.is_none() {
        let message =
            "a rule without `streams` and `tenants` matches everything: write it in [sync]";
        return Err(reader.problem(&["rules", at], message));
    }
    let matcher = Matcher {
        streams: globs(
            reader,
            at,
            "streams",
            rule.streams.as_deref().unwrap_or(&["*".to_owned()]),
        )?,
        tenants: globs(
            reader,
            at,
            "tenants",
            rule.tenants.as_deref().unwrap_or_default(),
        )?,
    };
    if rule.ignore == Some(true) {
        return Ok(RuleSettings {
            matcher,
            settings: None,
        });
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
    bounds(
        reader,
        &["rules", at],
        rule.bounds.as_ref(),
        &mut settings.rules,
    )?;
    if let Some(names) = &rule.schemas {
        settings.schemas = BTreeMap::new();
        for (position, name) in names.iter().enumerate() {
            let Some(schema) = general.schemas.get(name) else {
                let known = general.schemas.keys().map(String::as_str);
                let message = format!("no schema is named `{name}`; {}", suggest(name, known));
                return Err(
                    reader.problem(&["rules", at, "schemas", &position.to_string()], message)
                );
            };
            settings.schemas.insert(name.clone(), schema.clone());
        }
    }
    Ok(RuleSettings {
        matcher,
        settings: Some(settings),
    })
}

fn globs(
    reader: &Reader<'_>,
    rule: &str,
    key: &str,
    globs: &[String],
) -> Result<Vec<GlobMatcher>, Problem> {
    let parse = |(at, text): (usize, &String)| {
        let glob = GlobBuilder::new(text).literal_separator(true).build();
        glob.map(|glob| glob.compile_matcher()).map_err(|error| {
            reader.problem(
                &["rules", rule, key, &at.to_string()],
                format!("`{text}` is no glob: {}", error.kind()),
            )
        })
    };
    globs.iter().enumerate().map(parse).collect()
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
    rules.min_delay = bounds.min_delay.map_or(rules.min_delay, |length| length.0);
    rules.max_delay = bounds.max_delay.map_or(rules.max_delay, |length| length.0);
    if rules.min_delay.is_zero() {
        return Err(reader.problem(
            &path("min_delay"),
            "must be more than nothing: it keeps the store from being hammered",
        ));
    }
    if rules.max_delay < rules.min_delay {
        let key = if bounds.max_delay.is_some() {
            "max_delay"
        } else {
            "min_delay"
        };
        return Err(reader.problem(&path(key), "`max_delay` must not be less than `min_delay`"));
    }
    Ok(())
}

fn schemas(reader: &Reader<'_>, file: &File) -> Result<BTreeMap<String, Schema>, Problem> {
    let mut schemas = BTreeMap::new();
    for (name, schema) in &file.schemas {
        let (key, bytes) = match (&schema.inline, &schema.file) {
            (Some(inline), None) => ("inline", inline.clone().into_bytes()),
            (None, Some(path)) => {
                let bytes = std::fs::read(reader.path(path)).map_err(|error| {
                    reader.problem(
                        &["schemas", name, "file"],
                        format!("can't read {}: {error}", path.display()),
                    )
                })?;
                ("file", bytes)
            }
            _ => return Err(reader.problem(&["schemas", name], "write either `inline` or `file`")),
        };
        let parsed = Schema::parse(&bytes).map_err(|error| {
            reader.problem(&["schemas", name, key], format!("no Arrow schema: {error}"))
        })?;
        schemas.insert(name.clone(), parsed);
    }
    Ok(schemas)
}
