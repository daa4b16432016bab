//! The thread that looks things up beside the writer: what is asked waits for no disk to keep what others wrote.

use std::path::{Path, PathBuf};
use std::thread;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::error::{Fault, LedgerError};

/// Questions that wait before further ones wait for room.
const QUEUE_MAX: usize = 1024;

type Question = Box<dyn FnOnce(&Connection) + Send>;

/// A connection that only reads, its thread, and the queue to it. Dropping it waits for what was already asked.
#[derive(Debug)]
pub(super) struct Lookups {
    path: PathBuf,
    queue: Option<mpsc::Sender<Message>>,
    thread: Option<thread::JoinHandle<()>>,
}

enum Message {
    Question(Question),
    Close(oneshot::Sender<()>),
}

impl Lookups {
    pub(super) fn start(path: &Path, connection: Connection) -> Result<Self, LedgerError> {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let thread = thread::Builder::new()
            .name("ledger-lookups".to_owned())
            .spawn(move || run(connection, waiting))
            .map_err(|source| LedgerError::io("start the reader of", path, source))?;
        Ok(Self {
            path: path.to_owned(),
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// Asks one question of the ledger as it durably is: everything that was answered before, and nothing that is on
    /// its way.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (answer, answered) = oneshot::channel();
        let path = self.path.clone();
        let question: Question = Box::new(move |connection| {
            let found = in_one_moment(connection, question).map_err(|fault| fault.at(&path));
            // Who went away needs no answer.
            let _ = answer.send(found);
        });
        self.send(Message::Question(question)).await?;
        answered.await.map_err(|_| self.closed())?
    }

    /// Answers what was asked before and lets go of the file.
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

impl Drop for Lookups {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// All of a question's statements see the same state.
fn in_one_moment<T>(
    connection: &Connection,
    question: impl FnOnce(&Connection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let moment = connection.unchecked_transaction()?;
    let found = question(&moment)?;
    moment.finish()?;
    Ok(found)
}

fn run(connection: Connection, mut waiting: mpsc::Receiver<Message>) {
    while let Some(message) = waiting.blocking_recv() {
        match message {
            Message::Question(question) => question(&connection),
            Message::Close(done) => {
                drop(connection);
                let _ = done.send(());
                return;
            }
        }
    }
}
