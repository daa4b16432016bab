//! Whether a stream exists in the store.

use object_store::path::Path;

use super::machine::{Marker, MarkerSeen};
use super::publishers::{MAX_LISTED, peers_path};
use crate::contract::{FailureKind, StoreFailure};
use crate::staging::{KeyKind, Layout, StreamKeys};
use crate::storage::{Fetched, Store};
use crate::text::counted;
use crate::time::Clock;

/// The largest marker that is read, in bytes. A Parseable marker lists manifests, one a day.
const MAX_MARKER: u64 = 16 << 20;

/// Hears of each request: its method, its key or prefix, and what came of it.
pub(super) type Heard<'h> = dyn FnMut(&str, &str, Result<String, &StoreFailure>) + Send + 'h;

/// A look for the marker of one stream.
pub(super) struct Search<'a> {
    pub(super) store: &'a Store,
    pub(super) layout: &'a Layout,
    pub(super) keys: &'a StreamKeys,
    pub(super) clock: &'a dyn Clock,
    /// The marker as it was last seen.
    pub(super) known: Option<&'a Marker>,
}

impl Search<'_> {
    /// Looks for this node's marker, then for others: the one that was last seen and the stream's own by their keys, and
    /// any node's by a listing. A listing costs more, and may need permissions that a GET does not.
    pub(super) async fn run(&self, heard: &mut Heard<'_>) -> Result<MarkerSeen, StoreFailure> {
        if self.keys.marker.is_none() {
            return Ok(MarkerSeen::NotNeeded);
        }
        let known = self.known_keys();
        for key in &known {
            if let Some(seen) = self.read(key, heard).await? {
                return Ok(seen);
            }
        }
        let prefix = peers_path(self.keys);
        let listed = self.store.list(&prefix, MAX_LISTED).await;
        let outcome = listed.as_ref();
        heard(
            "LIST",
            &self.keys.peers_prefix,
            outcome.map(|listing| counted(listing.objects.len(), "object")),
        );
        let listing = listed?;
        for object in listing.objects {
            if self.keys.classify(&object.key) == KeyKind::Marker
                && !known.contains(&object.key)
                && let Some(seen) = self.read(&object.key, heard).await?
            {
                return Ok(seen);
            }
        }
        if listing.truncated {
            return Err(StoreFailure::new(
                FailureKind::Other,
                format!(
                    "more than {MAX_LISTED} objects under {prefix}: whether the stream exists can't be told"
                ),
            ));
        }
        Ok(MarkerSeen::Gone)
    }

    /// This node's marker, the one that was last seen, the stream's own; each once.
    fn known_keys(&self) -> Vec<Path> {
        let seen = self
            .known
            .and_then(|marker| Path::parse(&marker.key).ok())
            // If the layout was changed since, the key may not be a marker's.
            .filter(|key| self.keys.classify(key) == KeyKind::Marker);
        let mut keys: Vec<Path> = Vec::new();
        for key in [
            self.keys.marker.clone(),
            seen,
            self.keys.stream_marker.clone(),
        ] {
            keys.extend(key.filter(|key| !keys.contains(key)));
        }
        keys
    }

    async fn read(
        &self,
        key: &Path,
        heard: &mut Heard<'_>,
    ) -> Result<Option<MarkerSeen>, StoreFailure> {
        let got = self.store.get(key, MAX_MARKER).await;
        let outcome = got.as_ref().map(|fetched| match fetched {
            Fetched::Missing => "missing".to_owned(),
            Fetched::TooLarge(info) => format!("{}, over the limit", counted(info.size, "byte")),
            Fetched::Found(_) => "the stream exists".to_owned(),
        });
        heard("GET", key.as_ref(), outcome);
        let read = match got? {
            Fetched::Missing => return Ok(None),
            Fetched::TooLarge(_) => None,
            Fetched::Found(object) => self.layout.read_marker(&object.bytes).ok(),
        };
        // A marker that can't be read is a marker: the stream exists, and nothing tells its incarnation.
        let (created_at, attributes) = match read {
            Some(marker) => (marker.created_at, marker.attributes),
            None => (
                self.known.map(|known| known.created_at).unwrap_or_default(),
                Vec::new(),
            ),
        };
        Ok(Some(MarkerSeen::Present(Marker {
            key: key.to_string(),
            created_at,
            seen: self.clock.now(),
            first_seen: self.clock.now(),
            attributes,
        })))
    }
}
