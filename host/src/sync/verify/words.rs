//! Findings and reports as people read them.

use std::fmt;

use super::difference::{Change, FieldNote};
use super::finding::{Finding, Kind, Remedy, Severity, Side};
use super::report::Report;
use crate::contract::Phase;
use crate::schema::shown;
use crate::text::counted;

/// The most fields that a line names.
const MAX_NAMED: usize = 8;

impl fmt::Display for Finding {
    /// One line: the stream, what was found, and what can be done or was done about it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} — {}", self.stream, self.kind.name(), self.kind)?;
        match &self.repair {
            None => match self.kind.advice() {
                Some(advice) => write!(f, "; {advice}"),
                None => Ok(()),
            },
            Some(Remedy::Repaired) => f.write_str("; repaired"),
            Some(Remedy::Noted) => f.write_str("; noted in the ledger"),
            Some(Remedy::NotRepaired { why }) => write!(f, "; not repaired: {why}"),
        }
    }
}

impl Kind {
    fn advice(&self) -> Option<&'static str> {
        match self {
            Kind::Missing { restorable, .. } | Kind::Corrupt { restorable, .. } => {
                Some(match restorable {
                    true => "`tidegate verify --repair` restores it from the ledger",
                    false => "the ledger has no schema of the stream's own to restore",
                })
            }
            Kind::Overwritten { .. } => {
                Some("`tidegate verify --repair` merges what is lost back in")
            }
            Kind::Conflict { .. } => {
                Some("nodes that read both can't start: make the types agree at the source")
            }
            Kind::CorruptPeer { .. } => {
                Some("query nodes can't read the stream: repair it on its node")
            }
            Kind::Drifted { .. }
            | Kind::Unreachable { .. }
            | Kind::Gone
            | Kind::CreatedAnew { .. }
            | Kind::Unsettled { .. }
            | Kind::Unverifiable { .. } => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Missing { key, .. } => write!(f, "the store has no object at {}", shown(key)),
            Kind::Corrupt { key, reason, .. } => write!(
                f,
                "the object at {} is no schema: {}",
                shown(key),
                shown(reason)
            ),
            Kind::Overwritten {
                key,
                lost,
                changed,
                omitted,
            } => {
                write!(f, "the object at {}", shown(key))?;
                let mut lists = Lists::new(f);
                lists.fields("lost", lost)?;
                lists.changes(changed)?;
                lists.omitted(*omitted)
            }
            Kind::Drifted {
                key,
                gained,
                changed,
                lost,
                omitted,
            } => {
                write!(f, "the object at {}", shown(key))?;
                let mut lists = Lists::new(f);
                lists.fields("gained", gained)?;
                lists.changes(changed)?;
                lists.fields("gave up", lost)?;
                lists.omitted(*omitted)
            }
            Kind::Conflict {
                field,
                ours,
                theirs,
            } => match field.as_str() {
                "" => write!(f, "{ours}, {theirs}"),
                field => write!(f, "field `{}`: {ours}, {theirs}", shown(field)),
            },
            Kind::CorruptPeer { key, reason, .. } => write!(
                f,
                "the object at {} is no schema: {}",
                shown(key),
                shown(reason)
            ),
            Kind::Unreachable {
                key,
                failure,
                message,
            } => write!(
                f,
                "{} could not be checked: store {failure}: {}",
                shown(key),
                shown(message)
            ),
            Kind::Gone => f.write_str(
                "the stream was deleted from the store; what the ledger knows of it stays there",
            ),
            Kind::CreatedAnew { created_at } => write!(
                f,
                "the stream was deleted and created anew at {created_at}; what was before stays in the ledger"
            ),
            Kind::Unsettled { phase, failure } => {
                match phase {
                    Phase::Unseen => {
                        f.write_str("it is staged, and no attempt has looked at it yet")?
                    }
                    phase => write!(
                        f,
                        "the stream is {phase}, so what is staged may not be stored"
                    )?,
                }
                match failure {
                    Some(failure) => write!(f, ": {}", shown(failure)),
                    None => Ok(()),
                }
            }
            Kind::Unverifiable { reason } => f.write_str(reason),
        }
    }
}

/// The fields of a finding, in clauses.
struct Lists<'f, 'a> {
    f: &'f mut fmt::Formatter<'a>,
    first: bool,
}

impl<'f, 'a> Lists<'f, 'a> {
    fn new(f: &'f mut fmt::Formatter<'a>) -> Self {
        Self { f, first: true }
    }

    fn clause(&mut self, verb: &str, parts: Vec<String>) -> fmt::Result {
        if parts.is_empty() {
            return Ok(());
        }
        let named: Vec<_> = parts.iter().take(MAX_NAMED).map(String::as_str).collect();
        let before = if self.first { " " } else { ", " };
        self.first = false;
        write!(self.f, "{before}{verb} {}", named.join(", "))?;
        match parts.len() - named.len() {
            0 => Ok(()),
            more => write!(self.f, " and {more} more"),
        }
    }

    fn fields(&mut self, verb: &str, fields: &[FieldNote]) -> fmt::Result {
        let part = |field: &FieldNote| format!("`{}` ({})", field.field, field.data_type);
        self.clause(verb, fields.iter().map(part).collect())
    }

    fn changes(&mut self, changes: &[Change]) -> fmt::Result {
        let part = |change: &Change| match change.field.as_str() {
            "" => format!("its metadata ({} → {})", change.was, change.is),
            field => format!("`{field}` ({} → {})", change.was, change.is),
        };
        self.clause("changed", changes.iter().map(part).collect())
    }

    fn omitted(&mut self, omitted: usize) -> fmt::Result {
        match omitted {
            0 => Ok(()),
            omitted => write!(self.f, ", and {} more", counted(omitted, "field")),
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.node, &self.key) {
            (None, _) => f.write_str("the base schema")?,
            (Some(node), None) => write!(f, "{} (unpublished)", shown(node))?,
            (Some(node), Some(_)) => write!(f, "{}", shown(node))?,
        }
        match self.nodes {
            0 | 1 => {}
            nodes => write!(f, " and {}", counted(nodes - 1, "more node"))?,
        }
        let verb = if self.nodes > 1 { "have" } else { "has" };
        write!(f, " {verb} {}", self.has)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

impl fmt::Display for Report {
    /// One line that sums it up.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let streams = counted(self.checked, "stream");
        let requests = counted(self.requests.total(), "request");
        write!(f, "checked {streams} with {requests}: ")?;
        let open = |severity| {
            let of = |finding: &&Finding| finding.severity == severity;
            self.open().filter(of).count()
        };
        let settled = |remedy| {
            let by = |finding: &&Finding| finding.repair.as_ref() == Some(&remedy);
            self.findings.iter().filter(by).count()
        };
        let counts = [
            (open(Severity::Error), "error", "errors"),
            (open(Severity::Warning), "warning", "warnings"),
            (open(Severity::Info), "change", "changes"),
            (settled(Remedy::Repaired), "repaired", "repaired"),
            (settled(Remedy::Noted), "noted", "noted"),
        ];
        let parts: Vec<_> = counts
            .into_iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
            .collect();
        match parts.is_empty() {
            true => f.write_str("all as the ledger knows it"),
            false => f.write_str(&parts.join(", ")),
        }
    }
}
