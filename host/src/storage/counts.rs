use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many requests were sent, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// Objects described.
    pub heads: u64,
    /// Objects read, whole or in part.
    pub gets: u64,
    /// Pages of listings.
    pub lists: u64,
    /// Conditional writes, both kinds.
    pub puts: u64,
    /// Deletions of the host's own probe objects.
    pub deletes: u64,
}

impl RequestCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.heads + self.gets + self.lists + self.puts + self.deletes
    }
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Head,
    Get,
    List,
    Put,
    Delete,
}

/// Counts requests, and tells the counter it was derived from.
#[derive(Debug, Default)]
pub(super) struct Counter {
    heads: AtomicU64,
    gets: AtomicU64,
    lists: AtomicU64,
    puts: AtomicU64,
    deletes: AtomicU64,
    whole: Option<Arc<Counter>>,
}

impl Counter {
    /// A counter from zero whose requests `whole` counts too.
    pub(super) fn part_of(whole: &Arc<Counter>) -> Self {
        Self {
            whole: Some(Arc::clone(whole)),
            ..Self::default()
        }
    }

    pub(super) fn add(&self, kind: Kind, requests: u64) {
        let counter = match kind {
            Kind::Head => &self.heads,
            Kind::Get => &self.gets,
            Kind::List => &self.lists,
            Kind::Put => &self.puts,
            Kind::Delete => &self.deletes,
        };
        counter.fetch_add(requests, Ordering::Relaxed);
        if let Some(whole) = &self.whole {
            whole.add(kind, requests);
        }
    }

    pub(super) fn snapshot(&self) -> RequestCounts {
        RequestCounts {
            heads: self.heads.load(Ordering::Relaxed),
            gets: self.gets.load(Ordering::Relaxed),
            lists: self.lists.load(Ordering::Relaxed),
            puts: self.puts.load(Ordering::Relaxed),
            deletes: self.deletes.load(Ordering::Relaxed),
        }
    }
}
