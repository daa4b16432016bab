//! Makes a plan smaller as long as the same property does not hold.

use std::collections::BTreeSet;

use super::{Action, Content, Plan, Span, Trouble, examine};
use crate::sandbox::Blueprint;
use crate::sandbox::scenario::{Property, Violation};

/// The most worlds that are played to shrink one plan.
pub const MAX_RUNS: usize = 600;

/// The smallest plan that was found.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The plan.
    pub plan: Plan,
    /// What does not hold in it.
    pub violations: Vec<Violation>,
    /// How many worlds were played.
    pub runs: usize,
}

/// Shrinks a plan in which the property does not hold.
pub fn shrink(plan: &Plan, property: Property, blueprint: &Blueprint) -> Shrunk {
    let mut shrinking = Shrinking {
        blueprint,
        property,
        best: plan.clone(),
        violations: Vec::new(),
        runs: 0,
    };
    shrinking.attempt(plan.clone());
    loop {
        let before = shrinking.best.clone();
        shrinking.drop_moments();
        shrinking.drop_faults();
        shrinking.drop_streams();
        shrinking.drop_nodes();
        shrinking.simplify();
        if shrinking.best == before || shrinking.runs >= MAX_RUNS {
            break;
        }
    }
    Shrunk {
        plan: shrinking.best,
        violations: shrinking.violations,
        runs: shrinking.runs,
    }
}

struct Shrinking<'b> {
    blueprint: &'b Blueprint,
    property: Property,
    best: Plan,
    violations: Vec<Violation>,
    runs: usize,
}

impl Shrinking<'_> {
    /// Takes the plan where the property still does not hold in it.
    fn attempt(&mut self, mut plan: Plan) -> bool {
        plan.settle(self.blueprint);
        if self.runs >= MAX_RUNS {
            return false;
        }
        self.runs += 1;
        // A plan that is no scenario is no smaller one.
        let violations = examine(&plan, self.blueprint).unwrap_or_default();
        let still = violations
            .iter()
            .any(|violation| violation.property == self.property);
        if still {
            self.best = plan;
            self.violations = violations;
        }
        still
    }

    /// Tries the best plan with a change; false also where that changes nothing.
    fn change(&mut self, change: impl FnOnce(&mut Plan)) -> bool {
        let mut plan = self.best.clone();
        change(&mut plan);
        plan != self.best && self.attempt(plan)
    }

    /// Halves first, then ever smaller pieces.
    fn drop_moments(&mut self) {
        let mut size = self.best.timeline.len().div_ceil(2).max(1);
        loop {
            let mut from = 0;
            while from < self.best.timeline.len() {
                let to = (from + size).min(self.best.timeline.len());
                let dropped = self.change(|plan| _ = plan.timeline.drain(from..to));
                if !dropped {
                    from = to;
                }
            }
            if size == 1 {
                return;
            }
            size = size.div_ceil(2);
        }
    }

    fn drop_faults(&mut self) {
        for at in (0..self.best.faults.len()).rev() {
            self.change(|plan| _ = plan.faults.remove(at));
        }
    }

    fn drop_streams(&mut self) {
        for stream in self.best.streams.clone() {
            if self.best.streams.len() > 1 {
                self.change(|plan| {
                    plan.streams.retain(|other| *other != stream);
                    let of = |name: Option<&str>| name == Some(&stream);
                    plan.timeline.retain(|moment| !of(moment.action.stream()));
                    plan.faults.retain(|fault| !of(fault.stream.as_deref()));
                });
            }
        }
    }

    fn drop_nodes(&mut self) {
        for node in self.best.nodes.clone() {
            if self.best.nodes.len() > 1 {
                self.change(|plan| {
                    plan.nodes.retain(|other| *other != node);
                    let of = |name: Option<&str>| name == Some(&node);
                    plan.timeline.retain(|moment| !of(moment.action.node()));
                    plan.faults.retain(|fault| !of(fault.node.as_deref()));
                });
            }
        }
    }

    fn simplify(&mut self) {
        self.change(|plan| plan.store.limits = None);
        self.change(|plan| plan.store.latency = [Span::ms(20); 4]);
        self.change(|plan| plan.store.latency = [Span::secs(1); 4]);
        for at in 0..self.best.faults.len() {
            let fault = |plan: &mut Plan, change: &dyn Fn(&mut super::FaultPlan)| {
                plan.faults.get_mut(at).map(change).unwrap_or_default();
            };
            self.change(|plan| fault(plan, &|fault| fault.node = None));
            self.change(|plan| fault(plan, &|fault| fault.percent = 100));
            self.change(|plan| fault(plan, &|fault| fault.count = Some(1)));
            self.change(|plan| {
                fault(plan, &|fault| {
                    fault.from = rounded(fault.from);
                    fault.until = rounded(fault.until);
                });
            });
            for content in [Content::schema(""), Content::schema("a:Utf8")] {
                self.change(|plan| {
                    fault(plan, &|fault| {
                        if let Trouble::Race { content: of } | Trouble::Clobber { content: of } =
                            &mut fault.effect
                        {
                            *of = content.clone();
                        }
                    });
                });
            }
        }
        self.drop_bases();
        self.round_times();
        self.drop_fields();
    }

    fn drop_bases(&mut self) {
        for at in 0..self.best.timeline.len() {
            self.change(|plan| {
                let action = plan.timeline.get_mut(at).map(|moment| &mut moment.action);
                if let Some(Action::CreateStream { base, .. }) = action {
                    *base = None;
                }
            });
        }
    }

    /// Whole seconds read better.
    fn round_times(&mut self) {
        self.change(|plan| {
            for moment in &mut plan.timeline {
                moment.at = rounded(moment.at);
            }
        });
        for at in 0..self.best.timeline.len() {
            self.change(|plan| {
                if let Some(moment) = plan.timeline.get_mut(at) {
                    moment.at = rounded(moment.at);
                }
                plan.timeline.sort_by_key(|moment| moment.at);
            });
        }
    }

    /// Takes each field out of all schemas together.
    fn drop_fields(&mut self) {
        let contents = self
            .best
            .timeline
            .iter()
            .filter_map(|moment| moment.action.content());
        let fields: BTreeSet<String> = contents
            .filter_map(Content::fields)
            .flatten()
            .map(|(name, _)| name.to_owned())
            .collect();
        for field in fields {
            self.change(|plan| {
                for moment in &mut plan.timeline {
                    if let Some(content) = moment.action.content_mut() {
                        *content = content.without(&field);
                    }
                }
            });
        }
    }
}

fn rounded(at: Span) -> Span {
    Span::secs(at.millis() / 1_000)
}
