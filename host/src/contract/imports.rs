//! What stands behind a policy's imports, in the host's own words. Each version of the contract translates between its
//! imports and these; whoever answers them need not know which version asks.

use bytes::Bytes;
use wasmtime::StoreContextMut;

use super::outside::{
    LogLevel, Page, ReadError, StagedFile, StagingError, StateError, StateScope, WriteError,
    WriteMode,
};
use super::{ObjectInfo, Version};

/// What an import answers. The outer error ends the policy's call.
pub(crate) type Answered<T, E> = wasmtime::Result<Result<T, E>>;

/// All imports of a policy.
pub(crate) trait Imports:
    ObjectReader + ObjectWriter + Staging + State + Log + Send + 'static
{
}

impl<T: ObjectReader + ObjectWriter + Staging + State + Log + Send + 'static> Imports for T {}

/// Reads objects.
pub(crate) trait ObjectReader {
    /// Describes an object.
    fn head(&mut self, key: String)
    -> impl Future<Output = Answered<ObjectInfo, ReadError>> + Send;

    /// A part of an object, with the whole object's description.
    fn get(
        &mut self,
        key: String,
        offset: u64,
        length: u32,
    ) -> impl Future<Output = Answered<(ObjectInfo, Bytes), ReadError>> + Send;

    /// A page of the objects below a prefix.
    fn list_objects(
        &mut self,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> impl Future<Output = Answered<Page, ReadError>> + Send;
}

/// Writes objects; linked only where it is granted.
pub(crate) trait ObjectWriter {
    /// Writes an object under a condition.
    fn put(
        &mut self,
        key: String,
        bytes: Vec<u8>,
        mode: WriteMode,
    ) -> impl Future<Output = Answered<ObjectInfo, WriteError>> + Send;
}

/// Reads the stream's staging directory.
pub(crate) trait Staging {
    /// The files directly in it.
    fn list_files(
        &mut self,
    ) -> impl Future<Output = Answered<Vec<StagedFile>, StagingError>> + Send;

    /// A part of a file.
    fn read_file(
        &mut self,
        name: String,
        offset: u64,
        length: u32,
    ) -> impl Future<Output = Answered<Bytes, StagingError>> + Send;
}

/// The policy's own state.
pub(crate) trait State {
    /// The value of a key.
    fn load(
        &mut self,
        scope: StateScope,
        key: String,
    ) -> impl Future<Output = Answered<Option<Vec<u8>>, StateError>> + Send;

    /// Sets a key if it still holds what is expected.
    fn swap(
        &mut self,
        scope: StateScope,
        key: String,
        expected: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    ) -> impl Future<Output = Answered<bool, StateError>> + Send;
}

/// Log lines.
pub(crate) trait Log {
    /// Keeps a line as far as the budget goes.
    fn write(&mut self, level: LogLevel, message: &str) -> wasmtime::Result<()>;
}

/// Writes a log line from within a host function. The line costs no host call, and those over the bound are dropped
/// without an end to the call, so it is a unit of fuel a byte that ends a flood of them.
pub(crate) fn write_line<T: Log>(
    mut store: StoreContextMut<'_, T>,
    level: LogLevel,
    message: &str,
) -> wasmtime::Result<()> {
    let left = store.get_fuel()?.saturating_sub(message.len() as u64);
    store.set_fuel(left)?;
    store.data_mut().write(level, message)
}

/// The condition of a write over `version`, or of one where nothing stands.
pub(crate) fn write_mode(version: Option<String>) -> WriteMode {
    match version {
        Some(version) => WriteMode::Update(Version::new(version)),
        None => WriteMode::Create,
    }
}
