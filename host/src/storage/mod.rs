//! The object store: opening a URL, bounded requests, conditional writes, and errors sorted by what they mean.
//!
//! [`Store`] offers what the agent needs and no more: describe, read with a cap, list with a cap, and write under a
//! condition. It never retries, so that every failure reaches the retry policy and a conditional write can't answer to
//! its own lost success.

mod adapt;
mod advice;
mod body;
mod classify;
mod counts;
mod file;
mod hints;
mod id;
mod keys;
mod limit;
mod metadata;
mod names;
mod object;
mod observe;
mod open;
mod options;
mod place;
mod probe;
mod redact;
mod reload;
mod scratch;
mod secret_file;
mod settings;
mod store;
mod stranger;
mod support;
mod trial;
mod version;

pub use counts::RequestCounts;
pub use id::StoreId;
pub use names::SettingNames;
pub use object::{Fetched, ListedObject, Listing, Object, Put, Refetched};
pub use open::OpenError;
pub(crate) use options::{
    Address, Family, Kind, check_path, exclude, find, relations, settle, settled_by, suggestion,
    variable_of,
};
pub use probe::{Probe, probe};
pub(crate) use secret_file::read_secret;
pub use settings::{ConditionalWrites, StoreSettings};
pub use store::Store;
pub use support::{Condition, ConditionalSupport};

/// Why a file of CA certificates can't be used.
pub use crate::transport::CaError;

/// A key in the store, relative to the store URL's prefix.
pub use object_store::path::Path as Key;
