//! The store, and what goes wrong with it.

use std::time::Duration;

use super::Reader;
use crate::config::{Length, Problem};
use crate::contract::{FailureKind, StoreFailure};
use crate::sandbox::scenario::file;
use crate::sandbox::store::{Effect, Fault, Latency, RateLimits, StoreBehaviour};

impl Reader<'_> {
    pub(super) fn store(&self) -> Result<StoreBehaviour, Problem> {
        let mut behaviour = StoreBehaviour::default();
        if let Some(store) = &self.file.store {
            if let Some(written) = &store.latency {
                behaviour.latency = latency(written);
            }
            behaviour.limits = store.limits.as_ref().map(|limits| match limits {
                file::Limits::Named(file::NamedLimits::S3) => RateLimits::S3,
                file::Limits::Numbers(numbers) => RateLimits {
                    writes: numbers.writes,
                    reads: numbers.reads,
                    prefix_depth: numbers.prefix_depth.unwrap_or(1),
                },
            });
            behaviour.honours_conditions =
                !matches!(store.conditions, Some(file::Conditions::Ignored));
        }
        for (at, written) in self.file.faults.iter().enumerate() {
            behaviour.faults.push(self.fault(at, written)?);
        }
        Ok(behaviour)
    }

    fn fault(&self, at: usize, written: &file::Fault) -> Result<Fault, Problem> {
        let number = at.to_string();
        let problem =
            |key: &str, message: &str| self.source.problem(&["faults", &number, key], message);
        let from = written.from.map_or(Duration::ZERO, Duration::from);
        let until = written.until.map(Duration::from);
        if until.is_some_and(|until| until <= from) {
            return Err(problem("until", "ends before it begins"));
        }
        let in_a_million = match written.probability {
            None => 1_000_000,
            Some(part) if (0.0..=1.0).contains(&part) => (part * 1_000_000.0).round() as u32,
            Some(_) => return Err(problem("probability", "lies between 0 and 1")),
        };
        let belongs = |key: &str, effects: &[file::Effect], written_there: bool| match written_there
            && !effects.contains(&written.effect)
        {
            true => Err(problem(key, "means nothing with this effect")),
            false => Ok(()),
        };
        use file::Effect as Written;
        belongs("kind", &[Written::Fail], written.kind.is_some())?;
        belongs(
            "retry_after",
            &[Written::Fail],
            written.retry_after.is_some(),
        )?;
        belongs("latency", &[Written::Slow], written.latency.is_some())?;
        belongs("by", &[Written::Late], written.by.is_some())?;
        let intruders = [Written::Race, Written::Clobber];
        belongs("fields", &intruders, written.fields.is_some())?;
        belongs("text", &intruders, written.text.is_some())?;
        let content = || {
            self.content(
                &["faults", &number],
                written.fields.as_ref(),
                written.text.as_ref(),
                None,
            )
        };
        let effect = match written.effect {
            Written::Fail => match written.kind {
                Some(kind) => Effect::Fail(StoreFailure {
                    kind,
                    message: message_of(kind).to_owned(),
                    retry_after: written.retry_after.map(Duration::from),
                }),
                None => return Err(problem("effect", "say how it fails with `kind`")),
            },
            Written::Slow => match &written.latency {
                Some(written) => Effect::Slow(latency(written)),
                None => {
                    return Err(problem(
                        "effect",
                        "say how much longer it takes with `latency`",
                    ));
                }
            },
            Written::Hang => Effect::Hang,
            Written::LoseAnswer => Effect::LoseAnswer,
            Written::Cut => Effect::Cut,
            Written::Tear => Effect::Tear,
            Written::IgnoreCondition => Effect::IgnoreCondition,
            Written::Race => Effect::Race(content()?),
            Written::Clobber => Effect::Clobber(content()?),
            Written::Late => match written.by {
                Some(by) => Effect::Late(by.into()),
                None => return Err(problem("effect", "say how much later it is done with `by`")),
            },
        };
        Ok(Fault {
            from,
            until,
            operations: written.operations.clone().unwrap_or_default(),
            keys: self.glob(&["faults", &number, "keys"], written.keys.as_deref())?,
            nodes: self.glob(&["faults", &number, "nodes"], written.nodes.as_deref())?,
            in_a_million,
            after: written.after.unwrap_or_default(),
            count: written.count,
            effect,
        })
    }
}

fn latency(written: &file::Latency) -> Latency {
    match written {
        file::Latency::Constant(length) => Latency::constant((*length).into()),
        file::Latency::Quantiles(quantiles) => {
            let p50 = Duration::from(quantiles.p50);
            let or = |length: Option<Length>, other: Duration| length.map_or(other, Duration::from);
            let p99 = or(quantiles.p99, p50);
            Latency::quantiles(or(quantiles.min, p50), p50, p99, or(quantiles.max, p99))
        }
    }
}

fn message_of(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Timeout => "no answer in time",
        FailureKind::Throttled => "503 SlowDown: reduce your request rate",
        FailureKind::Unavailable => "500 InternalError: try again",
        FailureKind::PermissionDenied => "403 AccessDenied",
        FailureKind::NotFound => "404 NoSuchBucket",
        FailureKind::PreconditionFailed => "412 PreconditionFailed",
        FailureKind::Other => "something went wrong",
    }
}
