//! One attempt of one stream: steps the machine and performs its effects until it rests.

use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::gate::Writes;
use super::journal::JournalError;
use super::machine::{
    Activity, Effect, Event, Level, Mode, Moment, Note, Resolved, Rules, Sighting, Source, Stream,
    Unexpected,
};
use super::plan::StreamPlan;
use super::story::{self, Story};
use crate::contract::{Failure, Phase, StoreFailure, Trigger};
use crate::staging::StreamKeys;
use crate::stream::StreamId;
use crate::tasks::Interrupted;
use crate::time::{Timestamp, in_short};

/// More steps than any attempt takes: one that goes round in circles is cut off.
const MAX_MACHINE_STEPS: usize = 200;

/// Why a stream is attended to.
#[derive(Clone, Debug)]
pub enum Occasion {
    /// The agent started.
    Started,
    /// The host looks at it.
    Looked(Trigger, Sighting),
    /// Its staging directory is gone.
    StagingGone,
    /// Its nodes are to be compared.
    CompareNodes,
    /// An operator gave a field of its stored schema another type.
    Resolved(Box<Resolved>),
}

/// What an attempt came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Where the stream stands.
    pub phase: Phase,
    /// When it wants to be looked at next.
    pub wake: Option<Timestamp>,
    /// In how long the policies are asked again, whatever happens before.
    pub again: Option<Duration>,
    /// Whether nothing is left to do for it.
    pub settled: bool,
    /// Whether a policy said that it is too early to tell.
    pub unsettled: bool,
    /// Whether its schema was never compared with those of the stream's other nodes, and will be.
    pub uncompared: bool,
    /// Whether the store has a marker of it; `None` if it was not asked, or did not say.
    pub known: Option<bool>,
    /// Whether the store answered all that it was asked about it, and was asked something.
    pub answered: bool,
    /// What came of a comparison with the stream's other nodes, if one was made: the failure of their listing.
    pub comparison: Option<Result<(), String>>,
    /// What was last wrong with it.
    pub failure: Option<Failure>,
    /// Where the stored content came from.
    pub source: Option<Source>,
    /// What would have been written, in a dry run.
    pub planned: Option<Planned>,
    /// What happened.
    pub story: Story,
}

/// A write that a dry run did not make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The key.
    pub key: String,
    /// Whether the key does not exist now.
    pub create: bool,
    /// Where the content would come from.
    pub source: Source,
    /// The schema's fields, as name and type.
    pub fields: Vec<(String, String)>,
}

/// Why an attempt could not be made at all.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// The ledger failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Internal error: the attempt panicked, or its task was interrupted.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// Internal error: the machine met something that it does not expect.
    #[error(transparent)]
    Defect(#[from] Unexpected),
    /// Internal error: the attempt did not end.
    #[error("stream {0} did not come to rest")]
    Endless(StreamId),
}

impl AttemptError {
    /// Whether this is an internal error, and not a failure of the ledger.
    pub fn is_internal(&self) -> bool {
        !matches!(self, AttemptError::Journal(_))
    }
}

/// An attempt under way.
pub(super) struct Attempt<'a> {
    pub(super) core: &'a Core,
    pub(super) id: &'a StreamId,
    pub(super) plan: Arc<StreamPlan>,
    rules: Rules,
    pub(super) keys: Arc<StreamKeys>,
    pub(super) stream: Stream,
    pub(super) trigger: Trigger,
    pub(super) story: Story,
    pub(super) planned: Option<Planned>,
    /// Whether the store answered a request, and whether it failed one.
    pub(super) store_asked: bool,
    pub(super) store_failed: bool,
    /// What came of the last comparison with the stream's other nodes.
    pub(super) comparison: Option<Result<(), String>>,
    pub(super) last_store_failure: Option<StoreFailure>,
    /// Whether this attempt ended the failures of the last stream that had some.
    pub(super) store_recovered: bool,
    /// Whether a write was sent that may have arrived.
    pub(super) wrote: bool,
    /// Messages to log when the attempt has ended.
    pub(super) notes: Vec<Note>,
}

impl Core {
    /// Attends to a stream until it rests, and leaves what became of it in the journal.
    ///
    /// # Errors
    ///
    /// The ledger fails; the stream is as the ledger has it then. What goes wrong with the store, the staged file or a
    /// policy is an outcome.
    pub async fn attempt(
        &self,
        id: &StreamId,
        occasion: Occasion,
    ) -> Result<Outcome, AttemptError> {
        let known = self.journal.load(id).await?;
        let stream = known.clone().unwrap_or_else(Stream::unseen);
        let (trigger, event) = match occasion {
            Occasion::Started => (Trigger::Scheduled, Event::Started),
            Occasion::Looked(trigger, sighting) => (trigger, Event::Looked { trigger, sighting }),
            Occasion::StagingGone => (Trigger::Changed, Event::StagingGone),
            Occasion::CompareNodes => (Trigger::Verification, Event::CompareNodes),
            Occasion::Resolved(resolved) => (Trigger::Requested, Event::Resolved(resolved)),
        };
        let now = self.clock.now();
        let story = Story::new(now, trigger, stream.phase);
        let keys = match self.layout.keys(&self.node, id) {
            Ok(keys) => Arc::new(keys),
            Err(error) => {
                return self
                    .without_keys(id, stream, story, error.to_string())
                    .await;
            }
        };
        let failed_before = stream.attempts;
        let mut attempt = self.begin(id, stream, keys, trigger, story);
        attempt.read_back_policy_writes().await;
        if let Err(error) = attempt.run(event).await {
            attempt.log_notes(None);
            return Err(error);
        }
        if attempt.stream.attempts <= failed_before {
            attempt.stream.recover();
        }
        attempt.finish(known.as_ref()).await
    }

    /// Counts an attempt that ended in an internal error as a failed one, and asks the retry policies when to try again.
    ///
    /// # Errors
    ///
    /// As [`Core::attempt`].
    pub(super) async fn attempt_failed(
        &self,
        id: &StreamId,
        reason: String,
    ) -> Result<Outcome, AttemptError> {
        let known = self.journal.load(id).await?;
        let stream = known.clone().unwrap_or_else(Stream::unseen);
        let now = self.clock.now();
        let story = Story::new(now, Trigger::Scheduled, stream.phase);
        let Ok(keys) = self.layout.keys(&self.node, id) else {
            return self.without_keys(id, stream, story, reason).await;
        };
        let mut attempt = self.begin(id, stream, Arc::new(keys), Trigger::Scheduled, story);
        let failure = Failure::Other(reason);
        attempt.story.tell(story::Event::Note {
            level: Level::Alert,
            text: failure.to_string(),
        });
        let stream = &mut attempt.stream;
        stream.attempts = stream.attempts.saturating_add(1);
        stream.failing_since.get_or_insert(now);
        stream.last_failure = Some(failure.clone());
        if stream.phase != Phase::Gone {
            stream.activity = Activity::AskingRetry(failure.clone());
            let decided = attempt.perform(Effect::AskRetry(failure)).await?;
            attempt.run(decided).await?;
        }
        attempt.finish(known.as_ref()).await
    }

    fn begin<'a>(
        &'a self,
        id: &'a StreamId,
        stream: Stream,
        keys: Arc<StreamKeys>,
        trigger: Trigger,
        story: Story,
    ) -> Attempt<'a> {
        let plan = Arc::clone(self.plan.of(id).unwrap_or(&self.plan.otherwise));
        Attempt {
            core: self,
            id,
            rules: Rules {
                internal: self.layout.is_internal(id),
                ..plan.rules.clone()
            },
            plan,
            keys,
            stream,
            trigger,
            story,
            planned: None,
            store_asked: false,
            store_failed: false,
            comparison: None,
            last_store_failure: None,
            store_recovered: false,
            wrote: false,
            notes: Vec::new(),
        }
    }

    /// A name that no store takes as a key: nothing can be done, and people should know.
    async fn without_keys(
        &self,
        id: &StreamId,
        mut stream: Stream,
        mut story: Story,
        problem: String,
    ) -> Result<Outcome, AttemptError> {
        tracing::warn!(stream = %id, "{problem}");
        stream.phase = Phase::Abandoned;
        stream.last_failure = Some(Failure::Other(problem.clone()));
        story.after = stream.phase;
        story.tell(story::Event::Note {
            level: Level::Alert,
            text: problem,
        });
        story.why = "never: the stream needs another name".to_owned();
        let now = self.clock.now();
        self.journal.save(id, &stream, Some(&story), now).await?;
        Ok(outcome(&stream, now, None, story))
    }
}

impl Attempt<'_> {
    async fn run(&mut self, first: Event) -> Result<(), AttemptError> {
        let mut next = Some(first);
        let mut steps = 0;
        while let Some(event) = next.take() {
            steps += 1;
            if steps > MAX_MACHINE_STEPS {
                return Err(AttemptError::Endless(self.id.clone()));
            }
            let moment = Moment {
                now: self.core.clock.now(),
                entropy: self.core.entropy.word(),
                rules: &self.rules,
            };
            let effects = self.stream.step(event, moment)?;
            for effect in effects {
                match effect {
                    Effect::Note(note) => self.note(note),
                    Effect::Write if self.core.gate.get() == Writes::Rehearsed => self.plan_write(),
                    effect => next = Some(self.perform(effect).await?),
                }
            }
        }
        Ok(())
    }

    pub(super) fn note(&mut self, note: Note) {
        self.story.tell(story::Event::Note {
            level: note.level,
            text: note.text.clone(),
        });
        self.notes.push(note);
    }

    /// In a dry run the attempt ends where it would write.
    fn plan_write(&mut self) {
        let Some(intent) = self.stream.intent.take() else {
            return;
        };
        let fields = intent
            .document
            .schema
            .fields()
            .map(|field| (field.name.to_owned(), field.data_type));
        self.planned = Some(Planned {
            key: self.keys.schema.to_string(),
            create: intent.mode == Mode::Create,
            source: intent.source,
            fields: fields.collect(),
        });
    }

    /// Keeps the stream as it is now.
    pub(super) async fn save(&self, story: Option<&Story>) -> Result<(), JournalError> {
        self.core
            .journal
            .save(self.id, &self.stream, story, self.core.clock.now())
            .await
    }

    async fn finish(mut self, known: Option<&Stream>) -> Result<Outcome, AttemptError> {
        // A store that answers reads and fails writes does not do well.
        let answered = self.store_asked && !self.store_failed;
        if answered {
            let now = self.core.clock.now();
            self.store_recovered = self.core.health.succeeded(self.id, now);
        } else if self.store_asked {
            self.core.health.answered();
        }
        self.story.after = self.stream.phase;
        self.story.next = self.stream.next_wake();
        self.story.why = self.why();
        if known != Some(&self.stream) || self.story.alarms() {
            let story = self.story.is_worth_telling().then_some(&self.story);
            self.save(story).await?;
        }
        self.log(known);
        let now = self.core.clock.now();
        // Without markers, none of them is missing.
        let known = self
            .stream
            .is_known()
            .filter(|_| self.core.layout.has_markers());
        let outcome = outcome(&self.stream, now, self.planned, self.story);
        Ok(Outcome {
            known,
            answered,
            comparison: self.comparison,
            ..outcome
        })
    }

    /// Why the stream is looked at next when it is.
    fn why(&self) -> String {
        let stream = &self.stream;
        let Some(next) = stream.next_wake() else {
            return match stream.phase {
                Phase::Abandoned => {
                    "when an operator asks, or the staged schema changes".to_owned()
                }
                _ => "when something changes in staging, and at the next verification".to_owned(),
            };
        };
        let delay = in_short(next.since(self.core.clock.now()));
        match (&stream.last_failure, stream.phase) {
            _ if stream.is_unsettled() => {
                format!("in {delay}: it is too early to tell")
            }
            _ if Some(next) == stream.peers.due => {
                format!("in {delay}: to compare the stream's nodes")
            }
            (_, Phase::Idle) if Some(next) == stream.look => {
                format!("in {delay}: to see whether the store knows the stream by then")
            }
            _ if Some(next) == stream.look => {
                format!("in {delay}: to see whether the stored object still stands")
            }
            (_, Phase::Gone) => format!("in {delay}: to see whether the stream came back"),
            (Some(failure), _) => format!("in {delay}: {failure}"),
            (None, _) => format!("in {delay}"),
        }
    }
}

fn outcome(stream: &Stream, now: Timestamp, planned: Option<Planned>, story: Story) -> Outcome {
    Outcome {
        phase: stream.phase,
        wake: stream.next_wake(),
        again: stream.wake.map(|wake| wake.since(now)),
        settled: stream.is_settled(),
        unsettled: stream.is_unsettled(),
        uncompared: stream.is_to_be_compared(),
        known: None,
        answered: false,
        comparison: None,
        failure: stream.last_failure.clone(),
        source: stream.source().cloned(),
        planned,
        story,
    }
}
