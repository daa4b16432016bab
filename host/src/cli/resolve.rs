use std::collections::BTreeMap;
use std::fmt::Write as _;

use arrow_schema::DataType;
use clap::Args;

use super::output::{self, Paint, Tone};
use super::place::located;
use super::{CommandError, Config, exit, log};
use crate::agent::{Opening, open_parts};
use crate::contract::Phase;
use crate::schema::Conflict;
use crate::stream::StreamId;
use crate::sync::{Outcome, Resolution, Writes, Written};

/// Change the type of a field that nodes disagree about.
#[derive(Debug, Args)]
pub(super) struct Resolve {
    /// The stream: its name, or tenant/name
    #[arg(value_name = "STREAM")]
    stream: String,
    /// The field, as the conflict names it
    #[arg(long, value_name = "NAME")]
    field: String,
    /// The Arrow type that the field gets: `Utf8`, `Float64`, or JSON as in the stored schema
    #[arg(long = "type", value_name = "TYPE")]
    data_type: String,
    /// Write it; without this the command only says what it would do
    #[arg(long)]
    yes: bool,
    /// Write it although other nodes still disagree afterwards
    #[arg(long)]
    partly: bool,
    #[command(flatten)]
    config: Config,
}

impl Resolve {
    pub(super) async fn run(self, log: &log::Options) -> Result<u8, CommandError> {
        let data_type = parse_type(&self.data_type)?;
        let (source, settings) = self.config.read()?;
        log.start(Some(&settings.log), "error")?;
        let opening = Opening {
            rehearse: !self.yes,
            reports: false,
            ..Opening::default()
        };
        let agent = open_parts(&settings, opening)
            .await
            .map_err(|error| located(&source, &settings, error))?;
        let core = agent.core();
        let stream = parse_stream(&self.stream, settings.staging.tenants)?;
        let resolution = core
            .plan_resolution(&stream, &self.field, &data_type)
            .await?;
        let refused = !resolution.remaining.is_empty() && !self.partly;
        let mut text = describe(&resolution, Paint::stdout());
        let mut code = exit::SETTLED;
        let has_type = resolution.before == resolution.after;
        if has_type && resolution.remembered.is_none() {
            text.push_str("Nothing to do here: the stored schema already has this type.\n");
            if refused {
                code = exit::UNSETTLED;
            }
        } else if refused {
            text.push_str(
                "Refused: the nodes would still disagree. Choose the type that the others have, resolve the conflict \
                 on the nodes named above first, or add `--partly`.\n",
            );
            code = exit::UNSETTLED;
        } else if !self.yes {
            text.push_str(match has_type {
                true => "Nothing was changed: `--yes` accepts what is stored.\n",
                false => "Nothing was written: `--yes` writes it.\n",
            });
        } else if core.gate.get() == Writes::Rehearsed {
            text.push_str("Nothing was written: `sync.write` is false in the configuration.\n");
            code = exit::UNSETTLED;
        } else if core.gate.get() == Writes::Unprobed {
            text.push_str("Nothing was written: the store could not be probed.\n");
            code = exit::STORE;
        } else {
            let (outcome, written) = core.resolve(&resolution).await?;
            code = report(&resolution, &outcome, written, &mut text);
        }
        agent.close().await?;
        output::print(&text)?;
        Ok(code)
    }
}

/// Parses a type in Arrow's notation, or as the JSON of a schema writes it.
fn parse_type(text: &str) -> Result<DataType, CommandError> {
    let text = text.trim();
    text.parse()
        .ok()
        .or_else(|| serde_json::from_str(text).ok())
        .or_else(|| serde_json::from_str(&format!("\"{text}\"")).ok())
        .ok_or_else(|| {
            CommandError::Usage(format!(
                "`{}` is not an Arrow type: write `Utf8`, `Int64`, `Float64`, `Boolean`, or the type's JSON from a \
                 stored schema, such as '{{\"Timestamp\":[\"Millisecond\",null]}}'",
                text.escape_debug()
            ))
        })
}

fn parse_stream(text: &str, tenants: bool) -> Result<StreamId, CommandError> {
    match (text.split_once('/'), tenants) {
        (Some((tenant, name)), true) => Ok(StreamId::with_tenant(tenant, name)),
        (None, false) => Ok(StreamId::new(text)),
        (None, true) => Err(CommandError::Usage(format!(
            "`{text}` has no tenant: write `TENANT/{text}`, since `staging.tenants` is true"
        ))),
        (Some(_), false) => Err(CommandError::Usage(format!(
            "`{text}` has a tenant, and `staging.tenants` is false"
        ))),
    }
}

fn describe(resolution: &Resolution, paint: Paint) -> String {
    let mut text = String::new();
    // Writing into a String can't fail.
    let _ = writeln!(
        text,
        "{}: the field `{}` in {}\n  from {}\n  to   {}\n",
        resolution.stream,
        resolution.field.escape_debug(),
        resolution.key,
        paint.paint(Tone::Bad, &resolution.before),
        paint.paint(Tone::Good, &resolution.after),
    );
    if let Some(conflict) = &resolution.remembered {
        let _ = writeln!(
            text,
            "The ledger has another schema of this node, with {conflict}."
        );
    }
    if resolution.remaining.is_empty() {
        let others = match resolution.peers {
            0 => "No other node publishes a schema of the stream.".to_owned(),
            1 => {
                "The one other schema of the stream agrees with that; there is nothing to do there."
                    .to_owned()
            }
            peers => format!(
                "The {peers} other schemas of the stream agree with that; there is nothing to do there."
            ),
        };
        let _ = writeln!(text, "{others}");
        return text;
    }
    for (fields, nodes) in by_conflict(resolution) {
        let _ = writeln!(text, "{fields}, on {nodes}.");
    }
    let here = |(node, conflict): (&Option<String>, &Conflict)| {
        node.is_some() && conflict.field == resolution.field
    };
    if resolution.remaining.iter().any(here) {
        let _ = writeln!(
            text,
            "On a node that conflicts about `{}`: `tidegate resolve {} --field {} --type {}`, with that node's \
             configuration.",
            resolution.field.escape_debug(),
            quoted(&resolution.stream.to_string()),
            quoted(&resolution.field),
            quoted(&resolution.after),
        );
    }
    text
}

/// Groups the remaining conflicts: each one, with the nodes that have it.
fn by_conflict(resolution: &Resolution) -> Vec<(String, String)> {
    let mut alike: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (node, conflict) in &resolution.remaining {
        let node = match node {
            Some(node) => format!("node {node}"),
            None => "the base schema, which no node's agent changes".to_owned(),
        };
        let text = format!("Still in conflict: {conflict}");
        alike.entry(text).or_default().push(node);
    }
    let joined = |(text, nodes): (String, Vec<String>)| (text, nodes.join(", "));
    alike.into_iter().map(joined).collect()
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    match text.chars().all(plain) && !text.is_empty() {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

fn report(resolution: &Resolution, outcome: &Outcome, written: Written, text: &mut String) -> u8 {
    // Writing into a String can't fail.
    let _ = match written {
        Written::Yes => writeln!(
            text,
            "Written. The former content is in the ledger's archive.\nRestart this node, so that it goes on with {}: if \
             it publishes {} again, that is a conflict again.",
            resolution.after, resolution.before
        ),
        Written::No => writeln!(text, "Nothing was written."),
        Written::Overtaken => writeln!(
            text,
            "Nothing was written: the object changed after it was read. Run the command again."
        ),
        Written::Unknown => writeln!(
            text,
            "Whether it was written is not known, since the store gives no answer: run `tidegate sync {}`.",
            quoted(&resolution.stream.to_string())
        ),
    };
    match (outcome.phase, &outcome.failure) {
        (Phase::Synced, _) if written == Written::Yes => return exit::SETTLED,
        (_, _) if written == Written::Overtaken => {}
        (phase, Some(failure)) => _ = writeln!(text, "The stream is {phase}: {failure}"),
        (phase, None) => _ = writeln!(text, "The stream is {phase}."),
    }
    exit::UNSETTLED
}
