use std::sync::Arc;

use bytes::Bytes;
use object_store::PutMode;
use tokio::sync::{Mutex, MutexGuard};

/// What was done to one object.
#[derive(Clone, Debug)]
pub enum Seen {
    /// A client read it or asked for it.
    Got {
        /// Its key.
        key: String,
        /// Its ETag; none when nothing stood there.
        e_tag: Option<String>,
    },
    /// A client wrote it, or tried to.
    Put {
        /// Its key.
        key: String,
        /// On which condition.
        mode: PutMode,
        /// The content.
        bytes: Bytes,
        /// The new ETag; none when the condition did not hold.
        e_tag: Option<String>,
    },
    /// The test itself wrote or deleted it, past the protocol.
    Meddled {
        /// Its key.
        key: String,
        /// The content and its ETag; none when it was deleted.
        written: Option<(Bytes, Option<String>)>,
    },
}

/// What the bucket did, in the order in which it was done: an entry and the deed are one step.
#[derive(Clone, Debug, Default)]
pub struct Witness(Arc<Mutex<Vec<Seen>>>);

impl Witness {
    /// Holds the bucket still: nothing is read, written or meddled with until the guard is dropped.
    pub async fn hold(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.0.lock().await
    }
}
