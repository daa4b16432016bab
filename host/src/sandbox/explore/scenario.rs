//! Plans as scenarios: what a plan is is said by the file that it is written to, and what is played is that file.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::plan::{Action, Content, FaultPlan, Plan, Span, StorePlan, Trouble};
use crate::config::{Length, Problem, Settings};
use crate::sandbox::Blueprint;
use crate::sandbox::scenario::file::{
    ALL_PROPERTIES, Action as Deed, Conditions, Config, Effect, Expect, Fault, File, Latency,
    LimitNumbers, Limits, Node, Properties, Quantiles, Step, Store,
};
use crate::sandbox::scenario::{Scenario, Violation};
use crate::staging::StreamKeys;
use crate::stream::{NodeId, StreamId};

/// The tenant of all streams, where the configuration has tenants.
const TENANT: &str = "acme";

impl Plan {
    /// The scenario that the plan is, held to every property.
    ///
    /// # Errors
    ///
    /// It is none: it takes longer than a scenario may.
    pub fn scenario(&self, blueprint: &Blueprint) -> Result<Scenario, Problem> {
        let file = self.file(&blueprint.settings, ALL_PROPERTIES);
        Scenario::from_file(&file, Arc::clone(&blueprint.settings))
    }

    /// The plan as a file, without the configuration under test.
    fn file(&self, settings: &Settings, property: &str) -> File {
        let writer = Writer {
            plan: self,
            settings,
        };
        File {
            title: format!("Seed {}", self.seed),
            about: None,
            seed: Some(self.seed),
            until: length(self.until),
            shuffle: Some(true),
            config: None,
            store: Some(store(&self.store)),
            nodes: self.nodes.iter().map(|name| node(name)).collect(),
            faults: self.faults.iter().map(|of| writer.fault(of)).collect(),
            timeline: self
                .timeline
                .iter()
                .flat_map(|moment| writer.steps(moment.at, &moment.action))
                .collect(),
            expect: vec![Expect {
                property: Some(Properties::One(property.to_owned())),
                ..Expect::default()
            }],
        }
    }
}

/// The scenario that a plan is, with the property that does not hold in it as its expectation.
pub fn to_scenario(
    plan: &Plan,
    violation: &Violation,
    config: Option<&Path>,
    blueprint: &Blueprint,
) -> String {
    let mut text = String::new();
    let comment = |line: &str| line.replace(char::is_control, " ");
    // Writing into a String can't fail.
    let _ = writeln!(
        text,
        "# Found by `tidegate policy explore`, seed {}:",
        plan.seed
    );
    let _ = writeln!(text, "# {}", comment(&violation.to_string()));
    let property = violation.property;
    let file = File {
        title: format!("{} ({property})", property.meaning()),
        config: Some(match config {
            Some(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
                Config::Path(path.display().to_string())
            }
            None => {
                let staging = json!({ "layout": "parseable" });
                Config::Tables(BTreeMap::from([("staging".to_owned(), staging)]))
            }
        }),
        ..plan.file(&blueprint.settings, property.name())
    };
    // Its keys are texts, and everything in it has a form in TOML.
    text.push_str(&toml::to_string(&file).unwrap_or_default());
    text
}

fn length(span: Span) -> Length {
    Length(span.duration())
}

fn node(name: &str) -> Node {
    Node {
        name: name.to_owned(),
        starts: None,
        identified: None,
    }
}

fn store(plan: &StorePlan) -> Store {
    let [min, p50, p99, max] = plan.latency.map(length);
    Store {
        latency: Some(Latency::Quantiles(Quantiles {
            min: Some(min),
            p50,
            p99: Some(p99),
            max: Some(max),
        })),
        limits: plan.limits.map(|(writes, reads)| {
            Limits::Numbers(LimitNumbers {
                writes,
                reads,
                prefix_depth: None,
            })
        }),
        conditions: Some(match plan.conditions {
            true => Conditions::Honoured,
            false => Conditions::Ignored,
        }),
    }
}

struct Writer<'p> {
    plan: &'p Plan,
    settings: &'p Settings,
}

impl Writer<'_> {
    fn fault(&self, plan: &FaultPlan) -> Fault {
        let fault = Fault {
            from: Some(length(plan.from)),
            until: Some(length(plan.until)),
            operations: (!plan.operations.is_empty()).then(|| plan.operations.clone()),
            keys: plan
                .stream
                .as_deref()
                .map(|stream| format!("{}**", self.root(stream))),
            nodes: plan.node.clone(),
            probability: (plan.percent < 100).then(|| f64::from(plan.percent) / 100.0),
            after: None,
            count: plan.count,
            effect: Effect::Hang,
            kind: None,
            retry_after: None,
            latency: None,
            by: None,
            fields: None,
            text: None,
        };
        let intruder = |effect: Effect, content: &Content, fault: Fault| Fault {
            effect,
            fields: fields(content),
            text: text(content),
            ..fault
        };
        match &plan.effect {
            Trouble::Fail { kind } => Fault {
                effect: Effect::Fail,
                kind: Some(*kind),
                ..fault
            },
            Trouble::Slow { by } => Fault {
                effect: Effect::Slow,
                latency: Some(Latency::Constant(length(*by))),
                ..fault
            },
            Trouble::Late { by } => Fault {
                effect: Effect::Late,
                by: Some(length(*by)),
                ..fault
            },
            Trouble::Race { content } => intruder(Effect::Race, content, fault),
            Trouble::Clobber { content } => intruder(Effect::Clobber, content, fault),
            Trouble::Hang => fault,
            Trouble::LoseAnswer => Fault {
                effect: Effect::LoseAnswer,
                ..fault
            },
            Trouble::Cut => Fault {
                effect: Effect::Cut,
                ..fault
            },
            Trouble::Tear => Fault {
                effect: Effect::Tear,
                ..fault
            },
        }
    }

    /// Nearly always one.
    fn steps(&self, at: Span, action: &Action) -> Vec<Step> {
        let content = action.content();
        let step = Step {
            at: length(at),
            action: deed(action),
            node: action.node().map(str::to_owned),
            stream: action.stream().map(|name| self.stream(name).to_string()),
            fields: content.and_then(fields),
            text: content.and_then(text),
            file: None,
            files: None,
            key: None,
            base: None,
            ahead: None,
            cause: None,
        };
        match action {
            Action::CreateStream { base, .. } => {
                let created = Step {
                    fields: None,
                    text: None,
                    ..step.clone()
                };
                let base = base.as_ref().map(|_| Step {
                    action: Deed::Publish,
                    base: Some(true),
                    ..step
                });
                std::iter::once(created).chain(base).collect()
            }
            Action::Delete { node, stream } => {
                let keys = self.keys(node, stream);
                let deleted = keys.map(|keys| Step {
                    node: None,
                    stream: None,
                    key: Some(keys.schema.to_string()),
                    ..step
                });
                deleted.into_iter().collect()
            }
            Action::Put { peer, .. } => vec![Step {
                node: Some(peer.clone()),
                ..step
            }],
            Action::Data { count, .. } => vec![Step {
                files: Some(*count),
                ..step
            }],
            Action::Skew { millis, .. } => {
                let sign = if *millis < 0 { "-" } else { "" };
                let length = Span::ms(millis.unsigned_abs());
                vec![Step {
                    ahead: Some(format!("{sign}{length}")),
                    ..step
                }]
            }
            _ => vec![step],
        }
    }

    /// The stream of this name in the plan.
    fn stream(&self, name: &str) -> StreamId {
        match self.settings.staging.tenants {
            true => StreamId::with_tenant(TENANT, name),
            false => StreamId::new(name),
        }
    }

    /// Names in plans are words, which make keys in any layout.
    fn keys(&self, node: &str, stream: &str) -> Option<StreamKeys> {
        let layout = &self.settings.staging.layout;
        layout.keys(&NodeId::new(node), &self.stream(stream)).ok()
    }

    fn root(&self, stream: &str) -> String {
        let node = self.plan.nodes.first().map_or("n1", String::as_str);
        let keys = self.keys(node, stream);
        keys.map(|keys| keys.root).unwrap_or_default()
    }
}

fn deed(action: &Action) -> Deed {
    match action {
        Action::Stage { .. } => Deed::Stage,
        Action::Tear { .. } => Deed::Tear,
        Action::Unstage { .. } => Deed::Unstage,
        Action::Data { .. } => Deed::Data,
        Action::Remove { .. } => Deed::Remove,
        Action::CreateStream { .. } => Deed::CreateStream,
        Action::DeleteStream { .. } => Deed::DeleteStream,
        Action::Publish { .. } | Action::Put { .. } => Deed::Publish,
        Action::Delete { .. } => Deed::Delete,
        Action::Crash { .. } => Deed::Crash,
        Action::Start { .. } => Deed::Start,
        Action::Stop { .. } => Deed::Stop,
        Action::Skew { .. } => Deed::Skew,
    }
}

/// A schema's fields.
fn fields(content: &Content) -> Option<BTreeMap<String, String>> {
    let owned = |(name, kind): (&str, &str)| (name.to_owned(), kind.to_owned());
    Some(content.fields()?.into_iter().map(owned).collect())
}

/// What is no schema.
fn text(content: &Content) -> Option<String> {
    content.text().map(str::to_owned)
}
