//! What is expected.

use std::time::Duration;

use object_store::path::Path as Key;

use super::{Reader, Streams};
use crate::config::{Problem, Settings, suggest};
use crate::sandbox::scenario::expectation::{
    Bounds, Expectation, Expected, ExpectedContent, Properties, When,
};
use crate::sandbox::scenario::file;
use crate::sandbox::scenario::judge::NO_VERDICT;
use crate::sandbox::scenario::properties::Property;
use crate::time::in_full;

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
    NO_VERDICT,
];

impl Reader<'_> {
    pub(super) fn expectations(
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
        let when = self.when(&number, written, end)?;
        let mut subjects = self.subjects(&number, written, when)?;
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

    /// All that is said to be expected, by the keys that say it.
    fn subjects(
        &self,
        number: &str,
        written: &file::Expect,
        when: When,
    ) -> Result<Vec<(&'static str, Expected)>, Problem> {
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
                self.verdict_names(number, key, names)?;
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
            let keys = ["expect", number, "requests", "keys"];
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
            add("object", self.object(number, key, written, when)?);
        } else if written.fields.is_some() || written.text.is_some() || written.absent.is_some() {
            let message = "`fields`, `text` and `absent` belong to `object`";
            return Err(self.source.problem(&["expect", number], message));
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
            let properties = self.properties(number, properties)?;
            add("property", Expected::Properties(properties));
        }
        Ok(subjects)
    }

    /// When it holds: at the end where nothing is written.
    fn when(&self, number: &str, written: &file::Expect, end: Duration) -> Result<When, Problem> {
        let problem =
            |key: &str, message: &str| self.source.problem(&["expect", number, key], message);
        let moment = |key: &str, moment: Option<crate::config::Length>| match moment {
            Some(moment) if Duration::from(moment) > end => {
                let end = in_full(end);
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
        match (at, by) {
            (Some(_), Some(_)) => Err(problem("by", "either `at` or `by` says when, not both")),
            (None, Some(by)) => Ok(When::By(by)),
            (at, None) => Ok(When::At(at.unwrap_or(end))),
        }
    }

    fn object(
        &self,
        number: &str,
        key: &str,
        written: &file::Expect,
        when: When,
    ) -> Result<Expected, Problem> {
        let problem =
            |key: &str, message: &str| self.source.problem(&["expect", number, key], message);
        let key =
            Key::parse(key).map_err(|error| problem("object", &format!("is no key: {error}")))?;
        let content = match (&written.fields, &written.text, written.absent) {
            (Some(fields), None, None) => {
                ExpectedContent::Schema(self.schema(&["expect", number, "fields"], fields)?)
            }
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
        Ok(Expected::Object { key, content, at })
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
}

fn bounds(range: Option<file::Range>) -> Bounds {
    range.map_or(Bounds::default(), |range| Bounds {
        min: range.min,
        max: range.max,
    })
}
