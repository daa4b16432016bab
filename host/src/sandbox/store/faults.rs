//! What goes wrong in a simulated store, by rule.

use std::time::Duration;

use bytes::Bytes;
use globset::GlobMatcher;

use super::latency::Latency;
use super::request::Operation;
use crate::contract::{FailureKind, StoreFailure};
use crate::sandbox::dice::Dice;

/// Which requests something happens to. All that is left out leaves nothing out.
#[derive(Clone, Debug)]
pub struct Fault {
    /// From when on, after the world's beginning.
    pub from: Duration,
    /// Until when; for ever without one.
    pub until: Option<Duration>,
    /// Which operations; none for all.
    pub operations: Vec<Operation>,
    /// Which keys or prefixes.
    pub keys: Option<GlobMatcher>,
    /// Whose requests.
    pub nodes: Option<GlobMatcher>,
    /// How many of a million such requests meet it.
    pub in_a_million: u32,
    /// How many such requests are spared first.
    pub after: u64,
    /// How many requests meet it at most.
    pub count: Option<u64>,
    /// What happens.
    pub effect: Effect,
}

impl Fault {
    /// Happens to every request.
    pub fn always(effect: Effect) -> Self {
        Self {
            from: Duration::ZERO,
            until: None,
            operations: Vec::new(),
            keys: None,
            nodes: None,
            in_a_million: 1_000_000,
            after: 0,
            count: None,
            effect,
        }
    }
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is answered with a failure; nothing is done.
    Fail(StoreFailure),
    /// It takes longer by this, and other rules may happen to it besides.
    Slow(Latency),
    /// It is never answered; nothing is done.
    Hang,
    /// It is done, and never answered.
    LoseAnswer,
    /// It is done, and then the connection breaks.
    Cut,
    /// A listing breaks off in the middle.
    Tear,
    /// Its condition is ignored, as some servers do.
    IgnoreCondition,
    /// Right before it is done, another writer puts this there, without a condition.
    Race(Bytes),
    /// Right after it is done, another writer puts this there, without a condition.
    Clobber(Bytes),
    /// It is done this much later, whether or not anybody still waits.
    Late(Duration),
}

/// A rule and how often it applied.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    fault: Fault,
    seen: u64,
    met: u64,
}

impl Rule {
    pub(super) fn new(fault: Fault) -> Self {
        Self {
            fault,
            seen: 0,
            met: 0,
        }
    }

    /// What happens to this request by the rule.
    pub(super) fn meet(&mut self, request: &Arrival<'_>, dice: &Dice) -> Option<&Effect> {
        let fault = &self.fault;
        let fits = |glob: &Option<GlobMatcher>, text: &str| {
            glob.as_ref().is_none_or(|glob| glob.is_match(text))
        };
        let applies = request.now >= fault.from
            && fault.until.is_none_or(|until| request.now < until)
            && (fault.operations.is_empty() || fault.operations.contains(&request.operation))
            && fits(&fault.keys, request.key)
            && fits(&fault.nodes, request.by)
            && (fault.effect != Effect::Tear || request.operation == Operation::List);
        if !applies {
            return None;
        }
        self.seen += 1;
        if self.seen <= fault.after
            || fault.count.is_some_and(|count| self.met >= count)
            || !dice.happens(fault.in_a_million)
        {
            return None;
        }
        self.met += 1;
        Some(&self.fault.effect)
    }
}

/// A request as rules see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival<'a> {
    pub(super) now: Duration,
    pub(super) by: &'a str,
    pub(super) operation: Operation,
    pub(super) key: &'a str,
}

/// What a request goes through, all rules together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Course {
    pub(super) sent: Duration,
    pub(super) delay: Duration,
    pub(super) late: Duration,
    pub(super) failure: Option<StoreFailure>,
    pub(super) hangs: bool,
    pub(super) answer_lost: bool,
    pub(super) cut: bool,
    pub(super) torn: bool,
    pub(super) unconditional: bool,
    pub(super) raced: Option<Bytes>,
    pub(super) clobbered: Option<Bytes>,
    /// The rules that applied, by their numbers.
    pub(super) met: Vec<usize>,
}

impl Course {
    /// The first rule that ends a request decides how; slowness, ignored conditions and other writers add to it.
    pub(super) fn chart(rules: &mut [Rule], request: &Arrival<'_>, dice: &Dice) -> Self {
        let mut course = Self::default();
        for (number, rule) in rules.iter_mut().enumerate() {
            let ended =
                course.failure.is_some() || course.hangs || course.answer_lost || course.cut;
            let effect = rule.meet(request, dice);
            if effect.is_some() {
                course.met.push(number);
            }
            match effect {
                None => {}
                Some(Effect::Slow(latency)) => {
                    course.delay = course.delay.saturating_add(latency.draw(dice));
                }
                Some(Effect::IgnoreCondition) => course.unconditional = true,
                Some(Effect::Race(content)) => course.raced = Some(content.clone()),
                Some(Effect::Clobber(content)) => course.clobbered = Some(content.clone()),
                Some(Effect::Tear) => course.torn = true,
                Some(Effect::Late(length)) => course.late = *length,
                Some(_) if ended => {}
                Some(Effect::Fail(failure)) => course.failure = Some(failure.clone()),
                Some(Effect::Hang) => course.hangs = true,
                Some(Effect::LoseAnswer) => course.answer_lost = true,
                Some(Effect::Cut) => course.cut = true,
            }
        }
        course
    }
}

/// What a store answers to too many requests.
pub(super) fn slow_down() -> StoreFailure {
    StoreFailure::new(
        FailureKind::Throttled,
        "503 SlowDown: reduce your request rate",
    )
}

/// How a broken connection looks.
pub(super) fn broken() -> StoreFailure {
    StoreFailure::new(FailureKind::Unavailable, "the connection was reset")
}
