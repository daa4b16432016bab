//! Plans from seeds.

use super::plan::{Action, Content, FaultPlan, Moment, Plan, Span, StorePlan, Trouble};
use crate::contract::FailureKind;
use crate::sandbox::scenario::settling_time;
use crate::sandbox::store::Operation;
use crate::sandbox::{Blueprint, Dice};

const NODES: [&str; 3] = ["n1", "n2", "n3"];
/// Nodes that publish and have no agent here.
const PEERS: [&str; 2] = ["p1", "p2"];
/// One of them is a node's own, for which other rules hold.
const STREAMS: [&str; 4] = ["app", "web", "pstats", "audit"];
const FIELDS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const TYPES: [&str; 4] = ["Utf8", "Int64", "Float64", "Boolean"];
const BROKEN: [&str; 4] = [
    "",
    "{\"fields\":[",
    "null",
    "{\"fields\":[{\"name\":\"a\"}],\"metadata\":{}}",
];
const WRITES: [Operation; 2] = [Operation::Create, Operation::Update];

/// The most that happens around one moment.
const MAX_IN_CLUSTER: u64 = 7;

/// The plan of a seed. Much of it happens at nearly the same time, since that is where things go wrong.
pub fn generate(seed: u64, blueprint: &Blueprint) -> Plan {
    let mut draft = Draft {
        dice: Dice::of(seed, "plan"),
        nodes: Vec::new(),
        streams: Vec::new(),
        timeline: Vec::new(),
        faults: Vec::new(),
    };
    draft.populate();
    let store = draft.store();
    draft.begin();
    let length = draft.pick(&[60, 300, 1_800, 7_200]);
    let clusters = draft.dice.between(1, 4);
    for _ in 0..clusters {
        let center = Span::ms(draft.dice.between(1_000, length * 1_000));
        draft.cluster(center);
    }
    if draft.happens(4) {
        let from = Span::ms(draft.dice.between(1_000, length * 1_000));
        draft.rollout_in_an_outage(from);
    }
    if draft.happens(3) {
        let from = Span::ms(draft.dice.between(1_000, length * 1_000));
        draft.silent_update(from);
    }
    if draft.happens(3) {
        let from = Span::ms(draft.dice.between(60_000, length.max(120) * 1_000));
        draft.trouble_beside(from);
    }
    draft.finish(seed, store, blueprint)
}

struct Draft {
    dice: Dice,
    nodes: Vec<String>,
    streams: Vec<String>,
    timeline: Vec<Moment>,
    faults: Vec<FaultPlan>,
}

impl Draft {
    fn pick<T: Copy, const N: usize>(&self, choices: &[T; N]) -> T {
        choices[self.dice.below(N as u64) as usize]
    }

    /// Whether something happens that happens so many times in a hundred.
    fn happens(&self, percent: u32) -> bool {
        self.dice.happens(percent * 10_000)
    }

    fn populate(&mut self) {
        let nodes = self.pick(&[1, 1, 1, 1, 2, 2, 3]);
        let streams = self.pick(&[1, 1, 1, 2, 2, 3, 4]);
        self.nodes = NODES.iter().take(nodes).map(|&id| id.to_owned()).collect();
        let first = self.dice.below(STREAMS.len() as u64) as usize;
        self.streams = STREAMS
            .iter()
            .cycle()
            .skip(first)
            .take(streams)
            .map(|&id| id.to_owned())
            .collect();
    }

    fn store(&self) -> StorePlan {
        let latency: [u64; 4] = match self.dice.below(10) {
            0..5 => [5, 20, 100, 250],
            5..8 => [100, 900, 5_000, 12_000],
            _ => [1_000, 3_000, 15_000, 40_000],
        };
        let limits = self
            .happens(10)
            .then(|| (self.pick(&[200, 1_000]), self.pick(&[400, 2_000])));
        StorePlan {
            latency: latency.map(Span::ms),
            limits,
            conditions: !self.happens(2),
        }
    }

    fn node(&self) -> String {
        let at = self.dice.below(self.nodes.len() as u64) as usize;
        self.nodes.get(at).cloned().unwrap_or_default()
    }

    fn stream(&self) -> String {
        let at = self.dice.below(self.streams.len() as u64) as usize;
        self.streams.get(at).cloned().unwrap_or_default()
    }

    fn at(&mut self, at: Span, action: Action) {
        self.timeline.push(Moment { at, action });
    }

    /// What stands in the store before anything happens.
    fn begin(&mut self) {
        for stream in self.streams.clone() {
            if self.happens(94) {
                let base = self.happens(40).then(|| self.schema(0));
                self.at(
                    Span::ms(0),
                    Action::CreateStream {
                        stream: stream.clone(),
                        base,
                    },
                );
            }
            if self.happens(30) {
                let content = self.content(8, 6);
                let peer = self.pick(&PEERS).to_owned();
                self.at(
                    Span::ms(0),
                    Action::Put {
                        peer,
                        stream,
                        content,
                    },
                );
            }
        }
    }

    /// A schema: each field has its own type nearly always.
    fn schema(&self, clashes: u32) -> Content {
        let count = self.pick(&[1, 1, 2, 2, 3, 4]);
        let first = self.dice.below(FIELDS.len() as u64) as usize;
        let clash = self.happens(clashes).then(|| self.dice.below(count));
        let field = |nth: u64| {
            let at = (first + nth as usize) % FIELDS.len();
            let other = usize::from(clash == Some(nth));
            let name = FIELDS.get(at).copied().unwrap_or_default();
            let kind = TYPES
                .get((at + other) % TYPES.len())
                .copied()
                .unwrap_or_default();
            format!("{name}:{kind}")
        };
        let fields: Vec<_> = (0..count).map(field).collect();
        Content::schema(fields.join(" "))
    }

    /// A schema, or something that is none.
    fn content(&self, clashes: u32, broken: u32) -> Content {
        match self.happens(broken) {
            true => Content::broken(self.pick(&BROKEN)),
            false => self.schema(clashes),
        }
    }

    /// Some things at nearly the same time, around a stream or two.
    fn cluster(&mut self, center: Span) {
        let near = |draft: &Self| {
            let spread = draft.pick(&[50, 3_000, 30_000, 120_000]);
            center.plus(Span::ms(draft.dice.below(spread)))
        };
        let stream = self.stream();
        let node = self.node();
        let count = self.dice.between(1, MAX_IN_CLUSTER);
        for _ in 0..count {
            let at = near(self);
            let stream = if self.happens(70) {
                stream.clone()
            } else {
                self.stream()
            };
            let node = if self.happens(70) {
                node.clone()
            } else {
                self.node()
            };
            self.something(at, node, stream);
        }
        if self.happens(10) {
            self.deletion_race(near(self), &node, &stream);
        }
        let faults = self.pick(&[0, 0, 1, 1, 2, 3]);
        for _ in 0..faults {
            let at = near(self);
            self.fault(at, &stream, &node);
        }
    }

    fn something(&mut self, at: Span, node: String, stream: String) {
        match self.dice.below(100) {
            0..32 => self.stage(at, node, stream),
            32..46 => {
                let count = self.pick(&[0, 1, 1, 3]);
                self.at(
                    at,
                    Action::Data {
                        node,
                        stream,
                        count,
                    },
                );
            }
            46..50 => self.at(at, Action::Unstage { node, stream }),
            50..54 => self.at(at, Action::Remove { node, stream }),
            54..58 => {
                let content = self.schema(3);
                self.at(
                    at,
                    Action::Tear {
                        node: node.clone(),
                        stream: stream.clone(),
                        content,
                    },
                );
                let later = at.plus(Span::ms(self.dice.between(500, 20_000)));
                self.stage(later, node, stream);
            }
            58..65 => self.delete_stream(at, stream),
            65..71 => {
                let content = self.content(5, 5);
                self.at(
                    at,
                    Action::Publish {
                        node,
                        stream,
                        content,
                    },
                );
            }
            71..78 => {
                let (peer, content) = (self.pick(&PEERS).to_owned(), self.content(8, 6));
                self.at(
                    at,
                    Action::Put {
                        peer,
                        stream,
                        content,
                    },
                );
            }
            78..83 => self.at(at, Action::Delete { node, stream }),
            83..94 => {
                self.at(at, Action::Crash { node: node.clone() });
                let later = at.plus(Span::ms(self.pick(&[1, 500, 5_000, 60_000])));
                self.at(later, Action::Start { node });
            }
            94..97 => {
                self.at(at, Action::Stop { node: node.clone() });
                let later = at.plus(Span::ms(self.pick(&[1_000, 15_000, 60_000])));
                self.at(later, Action::Start { node });
            }
            _ => {
                let millis = self.pick(&[-3_600_000, -60_000, -1_000, 5_000, 600_000, 7_200_000]);
                self.at(at, Action::Skew { node, millis });
            }
        }
    }

    /// A node stages a schema, which mostly goes again soon; sometimes it publishes it itself, as it should.
    fn stage(&mut self, at: Span, node: String, stream: String) {
        let content = self.content(6, 7);
        self.at(
            at,
            Action::Stage {
                node: node.clone(),
                stream: stream.clone(),
                content: content.clone(),
            },
        );
        let later = at.plus(Span::ms(self.dice.between(1_000, 40_000)));
        if self.happens(15) {
            let publish = Action::Publish {
                node: node.clone(),
                stream: stream.clone(),
                content,
            };
            self.at(later, publish);
        }
        if self.happens(40) {
            self.at(later, Action::Unstage { node, stream });
        }
    }

    fn delete_stream(&mut self, at: Span, stream: String) {
        self.at(
            at,
            Action::DeleteStream {
                stream: stream.clone(),
            },
        );
        let later = at.plus(Span::ms(self.pick(&[200, 5_000, 60_000, 600_000])));
        // The nodes learn of it later, if at all.
        for node in self.nodes.clone() {
            if self.happens(40) {
                self.at(
                    later,
                    Action::Remove {
                        node,
                        stream: stream.clone(),
                    },
                );
            }
        }
        if self.happens(60) {
            let base = self.happens(30).then(|| self.schema(0));
            let again = Action::CreateStream {
                stream: stream.clone(),
                base,
            };
            self.at(later.plus(Span::ms(1)), again);
            if self.happens(50) {
                let node = self.node();
                self.stage(later.plus(Span::secs(2)), node, stream);
            }
        }
    }

    /// The stream is deleted while a first schema of it is under way.
    fn deletion_race(&mut self, at: Span, node: &str, stream: &str) {
        let content = self.schema(0);
        let (node, stream) = (node.to_owned(), stream.to_owned());
        self.faults.push(FaultPlan {
            from: at,
            until: at.plus(Span::secs(60)),
            operations: vec![Operation::Create],
            stream: Some(stream.clone()),
            node: None,
            percent: 100,
            count: None,
            effect: Trouble::Slow {
                by: Span::ms(self.pick(&[5_000, 20_000])),
            },
        });
        let stage = Action::Stage {
            node: node.clone(),
            stream: stream.clone(),
            content,
        };
        self.at(at, stage);
        let later = at.plus(Span::ms(self.dice.between(1_500, 12_000)));
        self.at(later, Action::DeleteStream { stream });
    }

    /// A write of a schema that just grew is never answered, nor read back for minutes.
    fn silent_update(&mut self, from: Span) {
        let (node, stream) = (self.node(), self.stream());
        let grows = from.plus(Span::secs(40));
        for (at, fields) in [(from, "a:Utf8"), (grows, "a:Utf8 b:Int64")] {
            let (node, stream) = (node.clone(), stream.clone());
            let content = Content::schema(fields);
            self.at(
                at,
                Action::Stage {
                    node,
                    stream,
                    content,
                },
            );
        }
        let kind = self.pick(&[FailureKind::Unavailable, FailureKind::Timeout]);
        let troubles = [
            (WRITES.to_vec(), Some(1), Trouble::Hang),
            (vec![Operation::Get], None, Trouble::Fail { kind }),
        ];
        for ((operations, count, effect), delay) in troubles.into_iter().zip([0, 10]) {
            let from = grows.plus(Span::secs(delay));
            self.faults.push(FaultPlan {
                from,
                until: from.plus(Span::secs(300)),
                operations,
                stream: Some(stream.clone()),
                node: None,
                percent: 100,
                count,
                effect,
            });
        }
    }

    /// Every request for one stream takes very long, and another one is staged on the same node.
    fn trouble_beside(&mut self, from: Span) {
        let node = self.node();
        for (nth, stream) in self.streams.clone().into_iter().take(2).enumerate() {
            let at = from.plus(Span::secs(nth as u64 * 6));
            let (node, content) = (node.clone(), self.schema(0));
            if nth == 0 {
                self.faults.push(FaultPlan {
                    from,
                    until: from.plus(Span::secs(120)),
                    operations: Vec::new(),
                    stream: Some(stream.clone()),
                    node: None,
                    percent: 100,
                    count: None,
                    effect: Trouble::Slow { by: Span::secs(25) },
                });
            }
            self.at(
                at,
                Action::Stage {
                    node,
                    stream,
                    content,
                },
            );
        }
    }

    /// All nodes stage a new schema of all streams while the store fails whatever it is asked.
    fn rollout_in_an_outage(&mut self, from: Span) {
        let kind = self.pick(&[FailureKind::Unavailable, FailureKind::Throttled]);
        self.faults.push(FaultPlan {
            from,
            until: from.plus(Span::secs(self.pick(&[120, 600]))),
            operations: Vec::new(),
            stream: None,
            node: None,
            percent: 100,
            count: None,
            effect: Trouble::Fail { kind },
        });
        for stream in self.streams.clone() {
            let content = self.schema(0);
            for node in self.nodes.clone() {
                let at = from.plus(Span::ms(self.dice.between(1_000, 30_000)));
                let (stream, content) = (stream.clone(), content.clone());
                self.at(
                    at,
                    Action::Stage {
                        node,
                        stream,
                        content,
                    },
                );
            }
        }
    }

    fn fault(&mut self, from: Span, stream: &str, node: &str) {
        let length = Span::secs(self.pick(&[5, 20, 60, 300, 1_200]));
        let few = Some(self.dice.between(1, 3));
        let content = self.content(10, 5);
        let (operations, percent, count, effect) = match self.dice.below(12) {
            0..3 => {
                let kind = self.pick(&[
                    FailureKind::Unavailable,
                    FailureKind::Unavailable,
                    FailureKind::Throttled,
                    FailureKind::PermissionDenied,
                    FailureKind::Timeout,
                    FailureKind::Other,
                ]);
                let some = self.pick(&[100, 100, 50, 20]);
                (self.some_operations(), some, None, Trouble::Fail { kind })
            }
            3 => {
                let by = Span::ms(self.pick(&[500, 5_000, 20_000]));
                (self.some_operations(), 100, None, Trouble::Slow { by })
            }
            4 => (self.some_operations(), 100, few, Trouble::Hang),
            5 => (WRITES.to_vec(), 100, few, Trouble::LoseAnswer),
            6 => (WRITES.to_vec(), 100, few, Trouble::Cut),
            7 => (vec![Operation::List], 100, None, Trouble::Tear),
            8 => {
                let by = Span::ms(self.pick(&[2_000, 29_000, 60_000]));
                (WRITES.to_vec(), 100, few, Trouble::Late { by })
            }
            9 | 10 => (WRITES.to_vec(), 100, few, Trouble::Race { content }),
            _ => (WRITES.to_vec(), 100, few, Trouble::Clobber { content }),
        };
        // Another writer writes schemas, and probes are no schemas.
        let writes = matches!(effect, Trouble::Race { .. } | Trouble::Clobber { .. });
        self.faults.push(FaultPlan {
            from,
            until: from.plus(length),
            operations,
            stream: (writes || self.happens(60)).then(|| stream.to_owned()),
            node: self.happens(15).then(|| node.to_owned()),
            percent,
            count,
            effect,
        });
    }

    fn some_operations(&self) -> Vec<Operation> {
        match self.dice.below(5) {
            0 => WRITES.to_vec(),
            1 => vec![Operation::Get],
            2 => vec![Operation::List],
            3 => vec![Operation::Get, Operation::Head],
            _ => Vec::new(),
        }
    }

    fn finish(mut self, seed: u64, store: StorePlan, blueprint: &Blueprint) -> Plan {
        // What is planned for one moment happens in the order in which it was planned.
        self.timeline.sort_by_key(|moment| moment.at);
        let mut plan = Plan {
            seed,
            until: Span::default(),
            store,
            faults: self.faults,
            nodes: self.nodes,
            streams: self.streams,
            timeline: self.timeline,
        };
        plan.settle(blueprint);
        plan
    }
}

impl Plan {
    /// Lets the world end when every stream must have settled after the last disturbance.
    pub(super) fn settle(&mut self, blueprint: &Blueprint) {
        let time = settling_time(&blueprint.settings, &blueprint.policies);
        self.until = self.quiet().plus(time.into());
    }

    /// When nothing is disturbed any more: the store works, and nobody does anything.
    pub(super) fn quiet(&self) -> Span {
        let acted = self.timeline.iter().map(|moment| moment.at).max();
        let late = |fault: &FaultPlan| match fault.effect {
            Trouble::Late { by } | Trouble::Slow { by } => fault.until.plus(by),
            _ => fault.until,
        };
        let troubled = self.faults.iter().map(late).max();
        acted.max(troubled).unwrap_or_default()
    }
}
