//! Runs the tasks of a simulated world on one thread, in virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::dice::Dice;
use crate::tasks::{Guard, Tasks};

/// Tasks that may run at one moment of virtual time. Whatever needs more goes round in circles.
const MAX_POLLS_AT_ONCE: u64 = 50_000_000;

/// The number that stands for what [`Executor::run`] was given, which is no task of its own.
const ROOT: usize = usize::MAX;

/// The tasks of a simulation, its timers and its time.
///
/// Nothing here waits: when no task can go on, time jumps to the next timer. Tasks that can go on at the same moment
/// run in the order in which they were woken, or in one that the dice choose. Clones are the same executor.
#[derive(Clone)]
pub struct Executor {
    shared: Arc<Shared>,
}

struct Shared {
    /// Nanoseconds since the beginning.
    now: AtomicU64,
    /// Polls at one moment, over which something goes round in circles.
    most: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tasks: Vec<Slot>,
    free: Vec<usize>,
    ready: VecDeque<usize>,
    root_is_ready: bool,
    timers: BTreeMap<(u64, u64), Waker>,
    timers_made: u64,
    order: Option<Dice>,
}

/// A place for a task; another one's when that is done.
struct Slot {
    /// Which of the tasks that were here: a waker of a former one wakes nobody.
    tenant: u64,
    /// Not there while it is polled.
    task: Option<BoxFuture<'static, ()>>,
    waker: Option<Waker>,
    queued: bool,
    occupied: bool,
}

/// Why a run did not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stuck {
    /// Everything waits for something that never comes.
    #[error("nothing more will ever happen in the simulated world")]
    Idle,
    /// Something goes round in circles while no time passes.
    #[error("something goes round in circles in the simulated world")]
    Spinning,
}

impl Executor {
    /// An executor whose time begins at zero. With `order`, what is ready at the same moment runs in an order of the dice's.
    pub fn new(order: Option<Dice>) -> Self {
        let state = State {
            order,
            ..State::default()
        };
        Self {
            shared: Arc::new(Shared {
                now: AtomicU64::new(0),
                most: AtomicU64::new(MAX_POLLS_AT_ONCE),
                state: Mutex::new(state),
            }),
        }
    }

    /// For small worlds: takes it for a circle when tasks are polled more often than this at one moment.
    pub fn limit_polls(&self, most: u64) {
        self.shared.most.store(most, Ordering::Relaxed);
    }

    /// Virtual time since the beginning.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.shared.now.load(Ordering::Relaxed))
    }

    /// Resolves at this time.
    pub fn at(&self, time: Duration) -> Sleep {
        Sleep {
            shared: Arc::clone(&self.shared),
            deadline: nanos(time),
            timer: None,
        }
    }

    /// Resolves after this long.
    pub fn sleep(&self, length: Duration) -> Sleep {
        self.at(self.now().saturating_add(length))
    }

    /// Tells whether anything still holds the executor.
    #[cfg(test)]
    pub(super) fn watch(&self) -> std::sync::Weak<impl Sized + use<>> {
        Arc::downgrade(&self.shared)
    }

    /// Drops every task and timer.
    pub(super) fn clear(&self) {
        // What a task holds may stop or start others when it is dropped, so nothing is locked then.
        let mut state = self.shared.state();
        let tasks = std::mem::take(&mut state.tasks);
        state.free.clear();
        state.ready.clear();
        drop(state);
        drop(tasks);
        let timers = std::mem::take(&mut self.shared.state().timers);
        drop(timers);
    }

    /// Runs `root` and all tasks until `root` is done. What is left goes on with the next run.
    ///
    /// # Errors
    ///
    /// It never will be.
    pub fn run<T>(&self, root: impl Future<Output = T>) -> Result<T, Stuck> {
        // Tokio's locks ask a task to give way after a while, and on tokio's threads they wake it when tokio has its turn
        // again: never, as long as this runs.
        let run = tokio::task::unconstrained(async { self.drive(root) });
        run.now_or_never().unwrap_or(Err(Stuck::Idle))
    }

    fn drive<T>(&self, root: impl Future<Output = T>) -> Result<T, Stuck> {
        let mut root = pin!(root);
        let waker = Waker::from(Arc::new(TaskWaker {
            shared: Arc::clone(&self.shared),
            slot: ROOT,
            tenant: 0,
        }));
        self.shared.state().root_is_ready = true;
        let mut polls = 0u64;
        loop {
            let Some(next) = self.shared.next_ready() else {
                if !self.shared.advance() {
                    return Err(Stuck::Idle);
                }
                polls = 0;
                continue;
            };
            polls += 1;
            if polls > self.shared.most.load(Ordering::Relaxed) {
                return Err(Stuck::Spinning);
            }
            if next == ROOT {
                if let Poll::Ready(output) = root.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return Ok(output);
                }
            } else {
                self.shared.poll(next);
            }
        }
    }
}

impl Tasks for Executor {
    fn start(&self, task: BoxFuture<'static, ()>) -> Guard {
        let (slot, tenant) = Shared::add(&self.shared, task);
        let shared = Arc::downgrade(&self.shared);
        Guard::new(move || {
            if let Some(shared) = shared.upgrade() {
                shared.remove(slot, tenant);
            }
        })
    }

    /// Runs the work at once: in a simulation no thread is waited for.
    fn start_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        work();
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor")
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // All of it is used on one thread; a panic there ends the simulation.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(self: &Arc<Self>, task: BoxFuture<'static, ()>) -> (usize, u64) {
        let mut state = self.state();
        let at = state.free.pop().unwrap_or_else(|| {
            state.tasks.push(Slot {
                tenant: 0,
                task: None,
                waker: None,
                queued: false,
                occupied: false,
            });
            state.tasks.len() - 1
        });
        let Some(slot) = state.tasks.get_mut(at) else {
            return (at, 0);
        };
        slot.tenant += 1;
        let tenant = slot.tenant;
        slot.task = Some(task);
        slot.occupied = true;
        slot.queued = true;
        slot.waker = Some(Waker::from(Arc::new(TaskWaker {
            shared: Arc::clone(self),
            slot: at,
            tenant,
        })));
        state.ready.push_back(at);
        (at, tenant)
    }

    fn remove(&self, at: usize, tenant: u64) {
        let mut state = self.state();
        let Some(slot) = state.tasks.get_mut(at) else {
            return;
        };
        if slot.tenant != tenant || !slot.occupied {
            return;
        }
        let gone = slot.vacate();
        // One that is being polled is let go of when that poll is over.
        if gone.0.is_some() {
            state.free.push(at);
        }
        drop(state);
        // What a task holds may stop other tasks when it is dropped.
        drop(gone);
    }

    fn next_ready(&self) -> Option<usize> {
        let mut state = self.state();
        let root = usize::from(state.root_is_ready);
        let choices = state.ready.len() + root;
        if choices == 0 {
            return None;
        }
        let at = match &mut state.order {
            Some(dice) => dice.below(choices as u64) as usize,
            None => 0,
        };
        if root == 1 && at == 0 {
            state.root_is_ready = false;
            return Some(ROOT);
        }
        let at = at - root;
        state.ready.swap(0, at);
        let next = state.ready.pop_front()?;
        if let Some(slot) = state.tasks.get_mut(next) {
            slot.queued = false;
        }
        Some(next)
    }

    fn poll(&self, at: usize) {
        let mut state = self.state();
        let Some(slot) = state.tasks.get_mut(at) else {
            return;
        };
        let (Some(mut task), Some(waker)) = (slot.task.take(), slot.waker.clone()) else {
            return;
        };
        let tenant = slot.tenant;
        drop(state);
        let polled = task.as_mut().poll(&mut Context::from_waker(&waker));
        let mut state = self.state();
        let Some(slot) = state.tasks.get_mut(at) else {
            return;
        };
        let stopped = slot.tenant != tenant || !slot.occupied;
        if polled.is_pending() && !stopped {
            slot.task = Some(task);
            return;
        }
        let gone = slot.vacate();
        state.free.push(at);
        drop(state);
        drop((task, gone));
    }

    /// Lets time pass until the next timer, and wakes everything that waits for that moment.
    fn advance(&self) -> bool {
        let mut state = self.state();
        let Some((&(deadline, _), _)) = state.timers.first_key_value() else {
            return false;
        };
        let mut due = Vec::new();
        while let Some(entry) = state.timers.first_entry()
            && entry.key().0 <= deadline
        {
            due.push(entry.remove());
        }
        drop(state);
        self.now.fetch_max(deadline, Ordering::Relaxed);
        due.into_iter().for_each(Waker::wake);
        true
    }
}

impl Slot {
    fn vacate(&mut self) -> (Option<BoxFuture<'static, ()>>, Option<Waker>) {
        self.occupied = false;
        (self.task.take(), self.waker.take())
    }
}

struct TaskWaker {
    shared: Arc<Shared>,
    slot: usize,
    tenant: u64,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.shared.state();
        if self.slot == ROOT {
            state.root_is_ready = true;
            return;
        }
        let State { tasks, ready, .. } = &mut *state;
        if let Some(slot) = tasks.get_mut(self.slot)
            && slot.occupied
            && slot.tenant == self.tenant
            && !slot.queued
        {
            slot.queued = true;
            ready.push_back(self.slot);
        }
    }
}

/// A wait for a moment of virtual time.
pub struct Sleep {
    shared: Arc<Shared>,
    deadline: u64,
    timer: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.shared.now.load(Ordering::Relaxed) >= self.deadline {
            return Poll::Ready(());
        }
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        let number = match self.timer {
            Some(number) => number,
            None => {
                state.timers_made += 1;
                state.timers_made
            }
        };
        self.timer = Some(number);
        let waker = context.waker().clone();
        state.timers.insert((self.deadline, number), waker);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(number) = self.timer {
            let waker = self.shared.state().timers.remove(&(self.deadline, number));
            drop(waker);
        }
    }
}

fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn time_jumps_from_timer_to_timer() {
        let executor = Executor::new(None);
        let tasks: &dyn Tasks = &executor;
        let (one, two) = (executor.clone(), executor.clone());
        let later = tasks.spawn(async move {
            one.sleep(2 * HOUR).await;
            one.now()
        });
        let sooner = tasks.spawn(async move {
            two.sleep(HOUR).await;
            two.now()
        });
        let seen = executor.run(async { (later.await, sooner.await) }).unwrap();
        assert_eq!(seen, (Ok(2 * HOUR), Ok(HOUR)));
        assert_eq!(executor.now(), 2 * HOUR);
    }

    #[test]
    fn what_waits_for_nothing_is_told() {
        let executor = Executor::new(None);
        assert_eq!(executor.run(std::future::pending::<()>()), Err(Stuck::Idle));
    }

    #[test]
    fn a_task_ends_with_its_handle_and_its_timers_with_it() {
        let executor = Executor::new(None);
        let tasks: &dyn Tasks = &executor;
        let held = Arc::new(());
        let (task_holds, inner) = (Arc::clone(&held), executor.clone());
        let task = tasks.spawn(async move {
            inner.sleep(HOUR).await;
            drop(task_holds);
        });
        let own = executor.clone();
        executor
            .run(async move {
                own.sleep(Duration::from_secs(1)).await;
                drop(task);
            })
            .unwrap();
        assert_eq!(Arc::strong_count(&held), 1);
        assert!(executor.shared.state().timers.is_empty());
    }

    #[test]
    fn a_task_may_stop_itself() {
        let executor = Executor::new(None);
        let (tasks, guard) = (executor.clone(), Arc::new(Mutex::new(None)));
        let own = Arc::clone(&guard);
        let stopped = tasks.start(Box::pin(async move {
            drop(own.lock().unwrap().take());
            std::future::pending::<()>().await;
        }));
        *guard.lock().unwrap() = Some(stopped);
        assert_eq!(executor.run(std::future::pending::<()>()), Err(Stuck::Idle));
        assert_eq!(Arc::strong_count(&guard), 1);
    }

    #[test]
    fn the_order_of_what_is_ready_together_is_the_seeds() {
        let order = |seed: Option<u64>| {
            let executor = Executor::new(seed.map(Dice::new));
            let seen = Arc::new(Mutex::new(Vec::new()));
            let tasks: &dyn Tasks = &executor;
            let running: Vec<_> = (0..6)
                .map(|name| {
                    let seen = Arc::clone(&seen);
                    tasks.spawn(async move { seen.lock().unwrap().push(name) })
                })
                .collect();
            executor.run(futures::future::join_all(running)).unwrap();
            std::mem::take(&mut *seen.lock().unwrap())
        };
        assert_eq!(order(None), [0, 1, 2, 3, 4, 5]);
        assert_eq!(order(Some(7)), order(Some(7)));
        let different = (0..20).filter(|seed| order(Some(*seed)) != order(None));
        assert!(different.count() > 10);
    }
}
