//! Plans as scenario files.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Violation;
use super::plan::{Action, Content, FaultPlan, Plan, Trouble};
use super::play::Places;
use crate::sandbox::Blueprint;

/// The scenario that a plan is, with the property that does not hold in it as its expectation.
pub fn to_scenario(
    plan: &Plan,
    violation: &Violation,
    config: Option<&Path>,
    blueprint: &Blueprint,
) -> String {
    let writer = Writer {
        plan,
        places: Places::new(blueprint),
    };
    let mut text = String::new();
    let comment = |line: &str| line.replace(char::is_control, " ");
    // Writing into a String can't fail.
    let _ = writeln!(
        text,
        "# Found by `tidegate policy explore`, seed {}:",
        plan.seed
    );
    let _ = writeln!(text, "# {}", comment(&violation.to_string()));
    let file = File {
        title: format!("{} ({})", violation.property.meaning(), violation.property),
        seed: plan.seed,
        until: plan.until.to_string(),
        shuffle: true,
        config: match config {
            Some(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
                json!(path.display().to_string())
            }
            None => json!({ "staging": { "layout": "parseable" } }),
        },
        store: writer.store(),
        nodes: plan
            .nodes
            .iter()
            .map(|name| json!({ "name": name }))
            .collect(),
        faults: plan
            .faults
            .iter()
            .map(|fault| writer.fault(fault))
            .collect(),
        timeline: plan
            .timeline
            .iter()
            .flat_map(|moment| writer.steps(moment.at.to_string(), &moment.action))
            .collect(),
        expect: vec![json!({ "property": violation.property.name() })],
    };
    text.push_str(&toml::to_string(&file).unwrap_or_default());
    text
}

/// The file, with what is short first.
#[derive(Serialize)]
struct File {
    title: String,
    seed: u64,
    until: String,
    shuffle: bool,
    config: Value,
    store: Value,
    nodes: Vec<Value>,
    faults: Vec<Value>,
    timeline: Vec<Value>,
    expect: Vec<Value>,
}

struct Writer<'p> {
    plan: &'p Plan,
    places: Places,
}

impl Writer<'_> {
    fn store(&self) -> Value {
        let [min, p50, p99, max] = self.plan.store.latency.map(|span| span.to_string());
        let mut store = json!({
            "latency": { "min": min, "p50": p50, "p99": p99, "max": max },
            "conditions": if self.plan.store.conditions { "honoured" } else { "ignored" },
        });
        if let (Some((writes, reads)), Some(store)) =
            (self.plan.store.limits, store.as_object_mut())
        {
            store.insert(
                "limits".to_owned(),
                json!({ "writes": writes, "reads": reads }),
            );
        }
        store
    }

    fn fault(&self, fault: &FaultPlan) -> Value {
        let mut row = Map::new();
        let mut set = |key: &str, value: Value| _ = row.insert(key.to_owned(), value);
        set("from", json!(fault.from.to_string()));
        set("until", json!(fault.until.to_string()));
        if !fault.operations.is_empty() {
            set("operations", json!(fault.operations));
        }
        if let Some(stream) = &fault.stream {
            set("keys", json!(format!("{}**", self.root(stream))));
        }
        if let Some(node) = &fault.node {
            set("nodes", json!(node));
        }
        if fault.percent < 100 {
            set("probability", json!(f64::from(fault.percent) / 100.0));
        }
        if let Some(count) = fault.count {
            set("count", json!(count));
        }
        let (effect, more) = match &fault.effect {
            Trouble::Fail { kind } => ("fail", vec![("kind", json!(kind))]),
            Trouble::Slow { by } => ("slow", vec![("latency", json!(by.to_string()))]),
            Trouble::Hang => ("hang", Vec::new()),
            Trouble::LoseAnswer => ("lose-answer", Vec::new()),
            Trouble::Cut => ("cut", Vec::new()),
            Trouble::Tear => ("tear", Vec::new()),
            Trouble::Late { by } => ("late", vec![("by", json!(by.to_string()))]),
            Trouble::Race { content } => ("race", vec![written(content)]),
            Trouble::Clobber { content } => ("clobber", vec![written(content)]),
        };
        set("effect", json!(effect));
        for (key, value) in more {
            set(key, value);
        }
        Value::Object(row)
    }

    fn steps(&self, at: String, action: &Action) -> Vec<Value> {
        let mut step = BTreeMap::from([("at", json!(at))]);
        if let Some(node) = action.node() {
            step.insert("node", json!(node));
        }
        if let Some(stream) = action.stream() {
            step.insert("stream", json!(self.places.stream(stream).to_string()));
        }
        let mut rest = Vec::new();
        let deed = match action {
            Action::Stage { content, .. } => {
                step.extend([written(content)]);
                "stage"
            }
            Action::Tear { content, .. } => {
                step.extend([written(content)]);
                "tear"
            }
            Action::Unstage { .. } => "unstage",
            Action::Data { count, .. } => {
                step.insert("files", json!(count));
                "data"
            }
            Action::Remove { .. } => "remove",
            Action::CreateStream { base, .. } => {
                if let Some(base) = base {
                    let mut publish = step.clone();
                    publish.extend([
                        ("do", json!("publish")),
                        ("base", json!(true)),
                        written(base),
                    ]);
                    rest.push(json!(publish));
                }
                "create-stream"
            }
            Action::DeleteStream { .. } => "delete-stream",
            Action::Publish { content, .. } => {
                step.extend([written(content)]);
                "publish"
            }
            Action::Put { peer, content, .. } => {
                step.extend([("node", json!(peer)), written(content)]);
                "publish"
            }
            Action::Delete { node, stream } => {
                let key = self.places.keys(node, stream);
                let key = key.map(|keys| keys.schema.to_string());
                step.retain(|name, _| *name == "at");
                step.insert("key", json!(key.unwrap_or_default()));
                "delete"
            }
            Action::Crash { .. } => "crash",
            Action::Start { .. } => "start",
            Action::Stop { .. } => "stop",
            Action::Skew { millis, .. } => {
                let length = super::Span::ms(millis.unsigned_abs());
                let sign = if *millis < 0 { "-" } else { "" };
                step.insert("ahead", json!(format!("{sign}{length}")));
                "skew"
            }
        };
        step.insert("do", json!(deed));
        rest.insert(0, json!(step));
        rest
    }

    fn root(&self, stream: &str) -> String {
        let node = self.plan.nodes.first().map_or("n1", String::as_str);
        let keys = self.places.keys(node, stream);
        keys.map(|keys| keys.root).unwrap_or_default()
    }
}

/// A content, as fields or as text.
fn written(content: &Content) -> (&'static str, Value) {
    match content.fields() {
        Some(fields) => (
            "fields",
            json!(fields.into_iter().collect::<BTreeMap<_, _>>()),
        ),
        None => ("text", json!(String::from_utf8_lossy(&content.bytes()))),
    }
}
