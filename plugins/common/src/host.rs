use crate::bindings::tidegate::policy::{object_reader, state};
use crate::object_reader::{ObjectPage, ReadError};
use crate::state::{Scope, StateError};
use crate::types::ObjectInfo;

/// Reads from the object store: the contract's `object-reader`, as far as the bundled policies use it.
pub trait ObjectReader {
    /// Describes one object, without its bytes.
    fn head(&self, key: &str) -> Result<ObjectInfo, ReadError>;

    /// A page of the objects under a prefix, behind the cursor `after`.
    fn list_objects(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<ObjectPage, ReadError>;
}

/// The policy's own durable state: the contract's `state`.
pub trait State {
    /// The value of the key.
    fn load(&self, scope: Scope, key: &str) -> Result<Option<Vec<u8>>, StateError>;

    /// Sets the key to `value` if it still holds `expected`; `false` when it does not.
    fn swap(
        &self,
        scope: Scope,
        key: &str,
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, StateError>;
}

/// The real host, which a component reaches through its imports. Nothing answers outside one.
#[derive(Clone, Copy, Debug)]
pub struct Host;

impl ObjectReader for Host {
    fn head(&self, key: &str) -> Result<ObjectInfo, ReadError> {
        object_reader::head(key)
    }

    fn list_objects(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<ObjectPage, ReadError> {
        object_reader::list_objects(prefix, after, limit)
    }
}

impl State for Host {
    fn load(&self, scope: Scope, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        state::load(scope, key)
    }

    fn swap(
        &self,
        scope: Scope,
        key: &str,
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, StateError> {
        state::swap(scope, key, expected, value)
    }
}
