//! The one thread that writes, and how requests share its transactions.

use std::path::{Path, PathBuf};
use std::thread;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::error::{Fault, LedgerError};
use super::lock::WriterLock;

/// Requests that wait for the writer before further ones wait for room.
const QUEUE_MAX: usize = 1024;

/// Requests that share one transaction at most.
const GROUP_MAX: usize = 1024;

/// Told how the transaction went; answers the caller.
type Answer = Box<dyn FnOnce(Result<(), LedgerError>) + Send>;

/// Does its work on the connection, or fails when there is no transaction to do it in; says what to do with the work,
/// and who waits for the answer.
type Job = Box<dyn FnOnce(Result<&Connection, LedgerError>) -> (Outcome, Answer) + Send>;

enum Outcome {
    Keep,
    Undo,
    Failed(LedgerError),
}

enum Message {
    Job(Job),
    Close(oneshot::Sender<()>),
}

/// What a piece of work leaves behind.
pub(super) enum Work<T> {
    /// Store what it did, then answer this.
    Keep(T),
    /// Undo what it did and answer this.
    Undo(T),
}

/// The writer's thread and the queue to it. Dropping it waits for the requests that were already taken.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    queue: Option<mpsc::Sender<Message>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(
        path: PathBuf,
        connection: Connection,
        lock: WriterLock,
    ) -> Result<Self, LedgerError> {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let ledger = path.clone();
        let thread = thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || run(&ledger, connection, lock, waiting))
            .map_err(|source| LedgerError::io("start the writer of", &path, source))?;
        Ok(Self {
            path,
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// Does the work in a transaction and answers when it is durable. The work sees what all requests before it did.
    pub(super) async fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<Work<T>, Fault> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (job, answered) = job(self.path.clone(), work);
        self.send(Message::Job(job)).await?;
        answered.await.map_err(|_| self.closed())?
    }

    /// Finishes what was taken, folds the `-wal` file into the database and lets go of the file.
    pub(super) async fn close(&self) -> Result<(), LedgerError> {
        let (done, closed) = oneshot::channel();
        self.send(Message::Close(done)).await?;
        closed.await.map_err(|_| self.closed())
    }

    async fn send(&self, message: Message) -> Result<(), LedgerError> {
        match &self.queue {
            Some(queue) => queue.send(message).await.map_err(|_| self.closed()),
            None => Err(self.closed()),
        }
    }

    fn closed(&self) -> LedgerError {
        LedgerError::Closed(self.path.clone())
    }
}

/// The work as a job of a group, and where its answer comes.
fn job<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce(&Connection) -> Result<Work<T>, Fault> + Send + 'static,
) -> (Job, oneshot::Receiver<Result<T, LedgerError>>) {
    let (answer, answered) = oneshot::channel();
    let job: Job = Box::new(move |connection| {
        let done =
            connection.and_then(|connection| work(connection).map_err(|fault| fault.at(&path)));
        let (outcome, result) = match done {
            Ok(Work::Keep(value)) => (Outcome::Keep, Ok(value)),
            Ok(Work::Undo(value)) => (Outcome::Undo, Ok(value)),
            Err(error) => (Outcome::Failed(error.clone()), Err(error)),
        };
        let reply: Answer = Box::new(move |committed| {
            // A caller that went away needs no answer; its work stays done.
            let _ = answer.send(result.and_then(|value| committed.map(|()| value)));
        });
        (outcome, reply)
    });
    (job, answered)
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(
    path: &Path,
    connection: Connection,
    lock: WriterLock,
    mut waiting: mpsc::Receiver<Message>,
) {
    let mut closing = None;
    while closing.is_none() {
        let Some(message) = waiting.blocking_recv() else {
            break;
        };
        let mut group = Vec::new();
        let mut next = Some(message);
        while let Some(message) = next {
            match message {
                Message::Job(job) => group.push(job),
                Message::Close(done) => closing = Some(done),
            }
            let more = closing.is_none() && group.len() < GROUP_MAX;
            next = more.then(|| waiting.try_recv().ok()).flatten();
        }
        commit(path, &connection, group);
    }
    waiting.close();
    if let Err((_, source)) = connection.close() {
        tracing::warn!(path = %path.display(), error = %source, "could not close the ledger");
    }
    drop(lock);
    if let Some(done) = closing {
        let _ = done.send(());
    }
}

/// Runs the jobs in one transaction, each under a savepoint of its own, then answers all of them.
///
/// A full disk or an input/output error makes SQLite undo the whole transaction by itself: the jobs before are told,
/// those behind get a new one.
fn commit(path: &Path, connection: &Connection, group: Vec<Job>) {
    let mut answers: Vec<Answer> = Vec::with_capacity(group.len());
    for job in group {
        let ready = if connection.is_autocommit() {
            execute(connection, "BEGIN IMMEDIATE")
        } else {
            Ok(())
        };
        let ready = ready.and_then(|()| execute(connection, "SAVEPOINT job"));
        let (outcome, answer) = job(ready
            .map(|()| connection)
            .map_err(|source| LedgerError::sqlite(path, source)));
        answers.push(answer);
        let ended = match outcome {
            Outcome::Failed(error) if connection.is_autocommit() => Err(error),
            Outcome::Keep => {
                release(connection).map_err(|source| LedgerError::sqlite(path, source))
            }
            Outcome::Undo | Outcome::Failed(_) => execute(connection, "ROLLBACK TO job")
                .and_then(|()| release(connection))
                .map_err(|source| LedgerError::sqlite(path, source)),
        };
        if let Err(error) = ended {
            undo(connection);
            answer_all(&mut answers, &Err(error));
        }
    }
    if answers.is_empty() {
        return;
    }
    let committed =
        execute(connection, "COMMIT").map_err(|source| LedgerError::sqlite(path, source));
    undo(connection);
    answer_all(&mut answers, &committed);
}

fn answer_all(answers: &mut Vec<Answer>, outcome: &Result<(), LedgerError>) {
    for answer in answers.drain(..) {
        answer(outcome.clone());
    }
}

fn release(connection: &Connection) -> rusqlite::Result<()> {
    execute(connection, "RELEASE job")
}

/// Ends a transaction that is still open because its commit failed.
fn undo(connection: &Connection) {
    if !connection.is_autocommit()
        && let Err(source) = execute(connection, "ROLLBACK")
    {
        tracing::error!(error = %source, "could not undo a ledger transaction");
    }
}

fn execute(connection: &Connection, statement: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(statement)?.execute([]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "ledger.db";

    fn database() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE child (id INTEGER REFERENCES parent, body BLOB)")
            .unwrap();
        connection
    }

    fn insert(id: i64) -> (Job, oneshot::Receiver<Result<(), LedgerError>>) {
        job(PATH.into(), move |connection| {
            connection.execute("INSERT INTO parent VALUES (?1)", [id])?;
            Ok(Work::Keep(()))
        })
    }

    fn ids(connection: &Connection) -> Vec<i64> {
        let mut statement = connection.prepare("SELECT id FROM parent").unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    fn run(connection: &Connection, group: Vec<Job>) {
        commit(Path::new(PATH), connection, group);
        assert!(connection.is_autocommit(), "no transaction may stay open");
    }

    #[test]
    fn a_failed_job_is_undone_alone() {
        let connection = database();
        let (one, mut first) = insert(1);
        let (twice, mut second) = job::<()>(PATH.into(), |connection| {
            connection.execute("INSERT INTO parent VALUES (2)", [])?;
            connection.execute("INSERT INTO parent VALUES (1)", [])?;
            Ok(Work::Keep(()))
        });
        let (regretted, mut third) = job(PATH.into(), |connection| {
            connection.execute("INSERT INTO parent VALUES (3)", [])?;
            Ok(Work::Undo("no"))
        });
        let (four, mut fourth) = insert(4);
        run(&connection, vec![one, twice, regretted, four]);
        assert_eq!(ids(&connection), [1, 4]);
        first.try_recv().unwrap().unwrap();
        second.try_recv().unwrap().unwrap_err();
        assert_eq!(third.try_recv().unwrap().unwrap(), "no");
        fourth.try_recv().unwrap().unwrap();
    }

    #[test]
    fn a_full_disk_fails_those_who_shared_the_transaction_and_not_those_behind() {
        let connection = database();
        connection
            .query_row("PRAGMA max_page_count = 8", [], |_| Ok(()))
            .unwrap();
        let (one, mut first) = insert(1);
        let (big, mut second) = job(PATH.into(), |connection| {
            connection.execute("INSERT INTO child VALUES (NULL, zeroblob(1000000))", [])?;
            Ok(Work::Keep(()))
        });
        let (three, mut third) = insert(3);
        run(&connection, vec![one, big, three]);
        let told = second.try_recv().unwrap().unwrap_err();
        assert!(matches!(told, LedgerError::Full(_)), "{told:?}");
        let stored = ids(&connection);
        assert_eq!(first.try_recv().unwrap().is_ok(), stored.contains(&1));
        third.try_recv().unwrap().unwrap();
        assert!(stored.contains(&3));
    }

    #[test]
    fn a_lost_transaction_is_told_to_those_who_shared_it() {
        let connection = database();
        let (one, mut first) = insert(1);
        let (lost, mut second) = job::<()>(PATH.into(), |connection| {
            // What SQLite does by itself on some errors.
            connection.execute_batch("ROLLBACK")?;
            Err(LedgerError::Full(PATH.into()).into())
        });
        let (three, mut third) = insert(3);
        run(&connection, vec![one, lost, three]);
        assert!(matches!(
            first.try_recv().unwrap(),
            Err(LedgerError::Full(_))
        ));
        assert!(matches!(
            second.try_recv().unwrap(),
            Err(LedgerError::Full(_))
        ));
        third.try_recv().unwrap().unwrap();
        assert_eq!(ids(&connection), [3]);
    }

    #[test]
    fn a_commit_that_fails_is_told_to_all() {
        let connection = database();
        let (one, mut first) = insert(1);
        let (orphan, mut second) = job(PATH.into(), |connection| {
            connection.execute_batch(
                "PRAGMA defer_foreign_keys = on; INSERT INTO child VALUES (99, NULL)",
            )?;
            Ok(Work::Keep(()))
        });
        run(&connection, vec![one, orphan]);
        first.try_recv().unwrap().unwrap_err();
        second.try_recv().unwrap().unwrap_err();
        assert!(ids(&connection).is_empty());
        let (again, mut third) = insert(1);
        run(&connection, vec![again]);
        third.try_recv().unwrap().unwrap();
    }
}
