//! One node of a simulated world: what outlives its agent, and the agent.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::oneshot;

use super::chronicle::{Chronicle, Event};
use super::clock::VirtualClock;
use super::dice::Dice;
use super::executor::Executor;
use super::memory::SimulatedMemory;
use super::staging::SimulatedStaging;
use super::store::SimulatedStore;
use crate::agent::{
    Agent, AgentError, Loaded, Opening, Until, load_policies, open_parts, runtime_settings,
};
use crate::config::Settings;
use crate::policy::{Instances, Recorder, Runtime, RuntimeSettings, Slots};
use crate::staging::{Layout, Staging};
use crate::storage::{Store, StoreId};
use crate::stream::NodeId;
use crate::tasks::{Guard, Tasks};
use crate::time::{Clock, Entropy};

/// What a node's agent is made from: the configuration, and the policies that it names.
#[derive(Clone, Debug)]
pub struct Blueprint {
    /// The configuration, without a watch over the staging directory: hints come from the system.
    pub settings: Arc<Settings>,
    /// The policies.
    pub policies: Loaded,
    /// Whether instances are reused, whatever the configuration says of each policy.
    pub instances: Option<Instances>,
    /// Who is given every decision.
    pub recorder: Option<Arc<dyn Recorder>>,
}

impl Blueprint {
    /// Loads a configuration's policies, for worlds that run on one thread each. `room` is for how many decisions and
    /// idle instances, where that is not as configured.
    ///
    /// # Errors
    ///
    /// A policy can't be loaded.
    pub async fn load(settings: Settings, room: Option<(u16, u16)>) -> Result<Self, AgentError> {
        let clock = Arc::new(VirtualClock::new(Executor::new(None)));
        let configured = runtime_settings(&settings, clock);
        let (slots, idle) = room.unwrap_or((configured.slots, configured.idle));
        let runtime = Runtime::new(RuntimeSettings {
            slots,
            idle,
            // A decision gives way to nobody in a world of one thread.
            yield_every: None,
            ..configured
        })?;
        let policies = load_policies(runtime, &settings).await?;
        Ok(Self {
            settings: Arc::new(Settings {
                watch: false,
                ..settings
            }),
            policies,
            instances: None,
            recorder: None,
        })
    }
}

/// A node: its clocks, its staging directory, its agent's memory; and its agent, while there is one.
#[derive(Debug)]
pub struct SimulatedNode {
    /// Its identity.
    pub id: NodeId,
    /// Its clocks.
    pub clock: VirtualClock,
    /// Its staging directory.
    pub staging: Arc<SimulatedStaging>,
    /// What outlives its agent.
    pub memory: Arc<SimulatedMemory>,
    executor: Executor,
    store: Arc<SimulatedStore>,
    blueprint: Blueprint,
    chronicle: Chronicle,
    entropy: Arc<Dice>,
    life: Mutex<Option<Life>>,
    /// The agent before it, which was told to stop.
    ending: Mutex<Option<Guard>>,
}

/// An agent that runs.
#[derive(Debug)]
struct Life {
    stop: oneshot::Sender<()>,
    task: Guard,
}

impl SimulatedNode {
    pub(super) fn new(
        id: NodeId,
        executor: Executor,
        store: Arc<SimulatedStore>,
        blueprint: Blueprint,
        chronicle: Chronicle,
        seed: u64,
    ) -> Self {
        let staging = &blueprint.settings.staging;
        let staging = SimulatedStaging::new(
            executor.clone(),
            id.clone(),
            staging.layout.clone(),
            staging.max_schema_size,
        );
        Self {
            clock: VirtualClock::new(executor.clone()),
            staging: Arc::new(staging),
            memory: Arc::new(SimulatedMemory::new(id.clone())),
            entropy: Arc::new(Dice::of(seed, &format!("node {id}"))),
            id,
            executor,
            store,
            blueprint,
            chronicle,
            life: Mutex::new(None),
            ending: Mutex::new(None),
        }
    }

    /// Where the node's files and keys are.
    pub fn layout(&self) -> &Layout {
        &self.blueprint.settings.staging.layout
    }

    /// Starts the agent, unless it runs. What is left of one that was told to stop ends first: there is one at a time.
    pub fn start(self: &Arc<Self>) {
        let mut life = self.life();
        if life.is_some() {
            return;
        }
        self.cut_off();
        let (stop, stopped) = oneshot::channel();
        let node = Arc::clone(self);
        let task = self
            .executor
            .start(Box::pin(async move { node.live(stopped).await }));
        *life = Some(Life { stop, task });
    }

    /// Tells the agent to stop; it ends what it has begun.
    pub fn stop(&self) {
        if let Some(Life { stop, task }) = self.life().take() {
            // It may have ended by itself.
            let _ = stop.send(());
            *self.ending() = Some(task);
        }
    }

    /// Ends the agent in the middle of whatever it does. What it had not put into its memory is lost.
    pub fn crash(&self) {
        let life = self.life().take();
        drop(life);
        self.cut_off();
    }

    /// Ends what is left of an agent that was told to stop. Whatever begins next knows no more than a ledger would.
    fn cut_off(&self) {
        let ending = self.ending().take();
        drop(ending);
        if let Err(error) = self.memory.restart() {
            self.defect(error.to_string());
        }
    }

    /// Ends the agent for good.
    pub(super) fn end(&self) {
        let (life, ending) = (self.life().take(), self.ending().take());
        drop((life, ending));
    }

    /// Whether an agent runs.
    pub fn is_up(&self) -> bool {
        self.life().is_some()
    }

    async fn live(self: Arc<Self>, stopped: oneshot::Receiver<()>) {
        let opened = loop {
            match self.open().await {
                // Sidecars start before their node does.
                Err(AgentError::NoIdentity { .. }) => {
                    let interval = self.blueprint.settings.scan_interval;
                    self.executor.sleep(interval).await;
                }
                opened => break opened,
            }
        };
        let ran = match opened {
            Ok(agent) => self.run(agent, stopped).await,
            Err(error) => Err(error),
        };
        if let Err(error) = ran {
            let event = Event::Ended {
                node: self.id.to_string(),
                reason: error.to_string(),
            };
            self.chronicle.tell(self.executor.now(), event);
        }
    }

    async fn run(
        &self,
        mut agent: Agent,
        stopped: oneshot::Receiver<()>,
    ) -> Result<(), AgentError> {
        let (chronicle, executor, node) = (
            self.chronicle.clone(),
            self.executor.clone(),
            self.id.to_string(),
        );
        let clock = self.clock.clone();
        agent.scheduler().observe(Box::new(move |stream, outcome| {
            let (node, stream) = (node.clone(), stream.clone());
            let event = match outcome {
                Ok(outcome) => Event::Attempt {
                    node,
                    stream,
                    delay: outcome.wake.map(|at| at.since(clock.now())),
                    outcome: Box::new(outcome),
                },
                Err(error) => Event::Defect {
                    node,
                    stream: Some(stream),
                    text: error.to_string(),
                },
            };
            chronicle.tell(executor.now(), event);
        }));
        let stop = async move {
            // Without anybody who could tell, it runs on.
            if stopped.await.is_err() {
                std::future::pending().await
            }
        };
        agent.run(Until::Told, stop).await?;
        agent.close().await
    }

    async fn open(&self) -> Result<Agent, AgentError> {
        let Blueprint {
            settings,
            policies,
            instances,
            recorder,
        } = &self.blueprint;
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let slots = Slots::new(
            settings.runtime.slots,
            settings.runtime.idle,
            Arc::clone(&clock),
        );
        let store = Store::with_object_store(
            self.store.port(self.id.to_string()),
            StoreId::new("simulated:///"),
            &settings.store,
            Arc::clone(&clock),
        );
        let opening = Opening {
            rehearse: false,
            reports: true,
            store: Some(store),
            staging: Some(Arc::clone(&self.staging) as Arc<dyn Staging>),
            memory: Some(Arc::clone(&self.memory) as _),
            policies: Some(policies.on_node(&slots, *instances)),
            clock,
            entropy: Arc::clone(&self.entropy) as Arc<dyn Entropy>,
            tasks: Arc::new(self.executor.clone()),
            recorder: recorder.clone(),
        };
        open_parts(settings, opening).await
    }

    fn defect(&self, text: String) {
        let event = Event::Defect {
            node: self.id.to_string(),
            stream: None,
            text,
        };
        self.chronicle.tell(self.executor.now(), event);
    }

    fn ending(&self) -> MutexGuard<'_, Option<Guard>> {
        // It is set or taken as a whole.
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn life(&self) -> MutexGuard<'_, Option<Life>> {
        // It is set or taken as a whole.
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
