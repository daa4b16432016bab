//! Components in OCI registries (distribution-spec 1.1), in the form that `wkg` reads and writes, and a cache of what was
//! pulled.
//!
//! [`fetch`] is how a component comes in: from the cache where it is pinned by digest, from the registry otherwise. What a
//! registry serves is compared with its digest, bounded in size and time, and kept as a whole or not at all. [`push`] is
//! how one goes out, [`tags`] and [`kept`] what there is.

mod answers;
mod auth;
mod cache;
mod client;
mod docker;
mod error;
mod helper;
mod manifest;
mod pull;
mod push;
mod reference;
mod settings;
mod shelf;
mod tags;

pub use error::RegistryError;
pub use manifest::{
    CONFIG, DESCRIPTION, LAYER, MANIFEST, MAX_COMPONENT, MAX_CONFIG, MAX_MANIFEST, SIGNATURE,
    TITLE, VERSION,
};
pub use pull::{Fetched, Origin, fetch};
pub use push::{Pushed, push};
pub use reference::{Reference, ReferenceError, SCHEME};
pub use settings::RegistrySettings;
pub use shelf::{Kept, kept, user_cache};
pub use tags::{MAX_TAGS, Tag, Tags, tags};
