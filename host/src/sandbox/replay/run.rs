//! Reads a recording and has every decision made again, on all cores, in order.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::clock::Stopped;
use super::compare::{Comparison, Replayed, compare, incomparable};
use super::components::{Components, Replacement};
use super::error::ReplayError;
use super::report::{Count, Replaced, Report};
use super::world::RecordedWorld;
use crate::policy::{CompileCache, Policy, Runtime, RuntimeSettings};
use crate::sandbox::record::read::{self, Recorded, Source};
use crate::sandbox::record::{BadRecording, StateLine, Trailer};

/// Decisions that are read ahead.
const READ_AHEAD: usize = 256;

/// How far a replay is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Compressed bytes that were read.
    pub read: u64,
    /// Decisions that were made again.
    pub decisions: u64,
}

/// What comes from the thread that reads.
enum Found {
    Decision(Box<Recorded>),
    End(Source, Option<Trailer>),
}

/// Makes every decision of these files again, and compares. Touches nothing but the files, the components and the compile
/// cache.
///
/// # Errors
///
/// The recording is not whole, a component is missing or does not fit, or nothing could be compared.
pub async fn replay(
    sources: Vec<Source>,
    replacements: Vec<Replacement>,
    cache: Option<CompileCache>,
    mut progress: impl FnMut(Progress),
) -> Result<Report, ReplayError> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let at_once = 2 * cores;
    let runtime = Runtime::new(RuntimeSettings {
        // One more, for the policy that is loaded meanwhile.
        slots: u16::try_from(at_once + 1).unwrap_or(u16::MAX),
        idle: 0,
        yield_every: None,
        cache,
        clock: Arc::new(Stopped),
    })?;
    let engine = format!("{:016x}", runtime.engine_hash());
    let mut components = Components::new(runtime, replacements);
    let bytes = Arc::new(AtomicU64::new(0));
    let mut found = start_reading(sources, Arc::clone(&bytes));
    let mut count = Count::default();
    let (mut warnings, mut unrecorded, mut decisions) = (Vec::new(), 0, 0);
    let mut under_way: VecDeque<(Arc<Recorded>, Judgement)> = VecDeque::new();
    loop {
        let next = match under_way.len() < at_once {
            true => found.recv().await.transpose()?,
            false => None,
        };
        match next {
            Some(Found::Decision(recorded)) => {
                components.note(&recorded.policy);
                let recorded = Arc::new(*recorded);
                let judgement = match incomparable(&recorded) {
                    Some(why) => Judgement::Left(why),
                    None => {
                        let policy = components.of(&recorded).await.map_err(Box::new)?;
                        let same_engine = recorded.header.engine == engine;
                        let again = decide(policy, Arc::clone(&recorded), same_engine);
                        Judgement::Made(tokio::spawn(again))
                    }
                };
                under_way.push_back((recorded, judgement));
                continue;
            }
            Some(Found::End(source, Some(trailer))) => {
                unrecorded += trailer.dropped + trailer.oversized;
                if trailer.recovered {
                    warnings.push(format!(
                        "{}: the agent that wrote it was killed; its last decisions may be missing",
                        source.path.display()
                    ));
                }
                continue;
            }
            Some(Found::End(source, None)) => {
                warnings.push(format!(
                    "{}: it is not sealed, since its agent runs or was killed; only what is complete was replayed",
                    source.path.display()
                ));
                continue;
            }
            None => {}
        }
        let Some((recorded, judgement)) = under_way.pop_front() else {
            break;
        };
        let comparison = match judgement {
            Judgement::Left(why) => Comparison::Left(why),
            Judgement::Made(made) => made.await.map_err(ReplayError::Defect)?,
        };
        count.add(&recorded, comparison);
        decisions += 1;
        let read = bytes.load(Ordering::Relaxed);
        progress(Progress { read, decisions });
    }
    if decisions == 0 {
        return Err(ReplayError::NoDecisions);
    }
    let report = Report {
        warnings,
        unrecorded,
        replaced: components
            .replaced()?
            .into_iter()
            .map(|(policy, recorded, replayed)| Replaced {
                policy,
                recorded,
                replayed,
            })
            .collect(),
        ..count.finish()
    };
    if report.same + report.different == 0 {
        let why: Vec<_> = report.left.iter().map(|left| left.why).collect();
        return Err(ReplayError::NothingCompared {
            decisions: report.decisions,
            why: why.join("; "),
        });
    }
    Ok(report)
}

/// A comparison that is made, or can't be.
enum Judgement {
    Made(JoinHandle<Comparison>),
    Left(&'static str),
}

/// Reads in a thread of its own, since files block. It ends when nobody listens.
fn start_reading(
    sources: Vec<Source>,
    bytes: Arc<AtomicU64>,
) -> mpsc::Receiver<Result<Found, BadRecording>> {
    let (tell, found) = mpsc::channel(READ_AHEAD);
    tokio::task::spawn_blocking(move || {
        for source in sources {
            let hand_on = |recorded| {
                tell.blocking_send(Ok(Found::Decision(Box::new(recorded))))
                    .is_ok()
            };
            let end = read::read(&source, &bytes, hand_on);
            let failed = end.is_err();
            let end = end.map(|trailer| Found::End(source, trailer));
            if tell.blocking_send(end).is_err() || failed {
                return;
            }
        }
    });
    found
}

async fn decide(policy: Policy, recorded: Arc<Recorded>, same_engine: bool) -> Comparison {
    let decision = &recorded.decision;
    let world = Arc::new(RecordedWorld::new(decision.calls.clone()));
    let seen = Arc::clone(&world);
    let report = policy
        .ask(
            decision.question.question(),
            &decision.facts,
            seen,
            decision.values.clone(),
        )
        .await;
    let replayed = Replayed {
        outcome: report.verdict.into(),
        state: report.state.into_iter().map(StateLine::from).collect(),
        fuel: report.usage.fuel,
        world,
        same_machine: same_engine && policy.sha256() == recorded.policy.sha256,
    };
    compare(&recorded, &replayed)
}
