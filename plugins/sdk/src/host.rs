use std::error::Error;
use std::fmt;

use crate::bindings::{object_reader, object_writer, staging, state};
use crate::{ObjectInfo, StoreFailure, Timestamp};

pub use crate::bindings::log::Level;
pub use state::Scope;

/// Bytes that [`Host::read`] asks for at first: more than most schemas have, and little of a decision's budget.
const FIRST_PIECE: u32 = 64 << 10;

/// Objects that [`Host::objects`] asks for at a time: the contract's most.
const PAGE: u32 = 1000;

/// What a policy can ask of its host, as the contract's imports document it. Each call but `log` counts as one host
/// call of the decision, and the bytes that it returns count against the decision's budget.
///
/// A component imports only what its policy calls. In tests a [`FakeHost`](crate::testing::FakeHost) answers.
pub trait Host {
    /// Describes one object, without its bytes.
    ///
    /// # Errors
    ///
    /// [`ReadError`]
    fn head(&self, key: &str) -> Result<ObjectInfo, ReadError>;

    /// The bytes of `[offset, offset + length)`, cut at the object's end.
    ///
    /// # Errors
    ///
    /// [`ReadError`]
    fn get(&self, key: &str, offset: u64, length: u32) -> Result<ObjectContent, ReadError>;

    /// At most `limit` (1 to 1,000) objects under `prefix`, which ends in `/`, in byte order of their keys, behind the
    /// cursor `after`.
    ///
    /// # Errors
    ///
    /// [`ReadError`]
    fn list_objects(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<ObjectPage, ReadError>;

    /// Writes a whole object under a condition. A component that calls this is loaded only with a write grant.
    ///
    /// # Errors
    ///
    /// [`WriteError`]
    fn put(&self, key: &str, bytes: &[u8], mode: &WriteMode) -> Result<ObjectInfo, WriteError>;

    /// The files in the stream's staging directory, in byte order of their names.
    ///
    /// # Errors
    ///
    /// [`StagingError`]
    fn list_files(&self) -> Result<Vec<StagedFile>, StagingError>;

    /// The bytes of `[offset, offset + length)` of a staged file, cut at its end.
    ///
    /// # Errors
    ///
    /// [`StagingError`]
    fn read_file(&self, name: &str, offset: u64, length: u32) -> Result<Vec<u8>, StagingError>;

    /// The value of the key in the policy's own durable state.
    ///
    /// # Errors
    ///
    /// [`StateError`]
    fn load(&self, scope: Scope, key: &str) -> Result<Option<Vec<u8>>, StateError>;

    /// Sets the key to `value` if it still holds `expected`; `None` stands for absent in both. False, and nothing
    /// changed, when it holds something else.
    ///
    /// # Errors
    ///
    /// [`StateError`]
    fn swap(
        &self,
        scope: Scope,
        key: &str,
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, StateError>;

    /// Writes a log line, which carries stream, role and policy by itself.
    fn log(&self, level: Level, message: &str);

    /// A whole object: in one call when it is no larger than 64 KiB, else in two.
    ///
    /// # Errors
    ///
    /// [`ReadError`]; [`ReadError::NotFound`] also for an object that is replaced while it is read.
    fn read(&self, key: &str) -> Result<Vec<u8>, ReadError> {
        let ObjectContent { object, mut bytes } = self.get(key, 0, FIRST_PIECE)?;
        let read = bytes.len() as u64;
        if read < object.size {
            let rest = u32::try_from(object.size - read)
                .map_err(|_| ReadError::TooLarge(u64::from(u32::MAX)))?;
            let piece = self.get(key, read, rest)?;
            if piece.object != object {
                return Err(ReadError::NotFound);
            }
            bytes.extend(piece.bytes);
        }
        Ok(bytes)
    }

    /// All objects under `prefix`, page by page as they are asked for.
    fn objects(&self, prefix: &str) -> Objects<'_, Self>
    where
        Self: Sized,
    {
        Objects {
            host: self,
            prefix: prefix.to_owned(),
            page: Vec::new().into_iter(),
            next: Next::First,
        }
    }
}

/// The objects under a prefix. Ends after an error.
#[derive(Debug)]
pub struct Objects<'a, H> {
    host: &'a H,
    prefix: String,
    page: std::vec::IntoIter<ObjectEntry>,
    next: Next,
}

#[derive(Debug)]
enum Next {
    First,
    Behind(String),
    None,
}

impl<H: Host> Iterator for Objects<'_, H> {
    type Item = Result<ObjectEntry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.page.next() {
                return Some(Ok(entry));
            }
            let after = match std::mem::replace(&mut self.next, Next::None) {
                Next::None => return None,
                Next::First => None,
                Next::Behind(cursor) => Some(cursor),
            };
            match self.host.list_objects(&self.prefix, after.as_deref(), PAGE) {
                Ok(page) => {
                    self.page = page.entries.into_iter();
                    self.next = page.next.map_or(Next::None, Next::Behind);
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// A part of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectContent {
    /// The whole object's description.
    pub object: ObjectInfo,
    /// The bytes that were asked for.
    pub bytes: Vec<u8>,
}

/// A listing's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectEntry {
    /// Its key.
    pub key: String,
    /// Size in bytes.
    pub size: u64,
    /// The store's last-modified time.
    pub modified: Timestamp,
}

/// A page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPage {
    /// Its rows.
    pub entries: Vec<ObjectEntry>,
    /// The cursor for the next page; `None` on the last one.
    pub next: Option<String>,
}

/// A file in the stream's staging directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedFile {
    /// Its name, without a directory.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// The file's own modification time.
    pub modified: Timestamp,
}

/// The condition of a write; there is no unconditional one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// Only where nothing stands.
    Create,
    /// Only over an object that still has this version.
    Update(String),
}

/// Why a read gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// Outside every granted prefix. Carries the key as the host normalized it.
    NotGranted(String),
    /// Nothing stands there.
    NotFound,
    /// Over what a policy may take; carries the bound.
    TooLarge(u64),
    /// This decision's host calls or bytes are used up. Answered once; the next call traps.
    BudgetExhausted,
    /// The store failed.
    Failed(StoreFailure),
}

/// Why nothing was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// Outside every granted prefix. Carries the key as the host normalized it.
    NotGranted(String),
    /// A key that a layout may own.
    Reserved(String),
    /// The condition did not hold; carries what stands there, where the host could tell.
    Stale(Option<ObjectInfo>),
    /// More bytes than the decision has left; carries those.
    TooLarge(u64),
    /// This decision's host calls are used up. Answered once; the next call traps.
    BudgetExhausted,
    /// The store failed; the write may have taken effect.
    Failed(StoreFailure),
}

/// Why nothing was read from staging.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StagingError {
    /// No such file.
    NotFound,
    /// Over what a policy may take; carries the bound.
    TooLarge(u64),
    /// This decision's host calls or bytes are used up. Answered once; the next call traps.
    BudgetExhausted,
    /// The file system failed. Carries the cause.
    Failed(String),
}

/// Why a state call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateError {
    /// A key, a value or the number of keys is over its limit; carries that.
    TooLarge(u64),
    /// This decision's host calls are used up. Answered once; the next call traps.
    BudgetExhausted,
    /// The ledger failed. Carries the cause.
    Unavailable(String),
}

const SPENT: &str = "this decision's host calls or bytes are used up (`limits`)";

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::NotGranted(key) => {
                write!(
                    f,
                    "`{key}` lies outside what the policy may read (`grants.read`)"
                )
            }
            ReadError::NotFound => f.write_str("there is no such object"),
            ReadError::TooLarge(bound) => write!(f, "over the bound of {bound}"),
            ReadError::BudgetExhausted => f.write_str(SPENT),
            ReadError::Failed(failure) => write!(f, "the store failed: {failure}"),
        }
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::NotGranted(key) => {
                write!(
                    f,
                    "`{key}` lies outside what the policy may write (`grants.write`)"
                )
            }
            WriteError::Reserved(key) => {
                write!(f, "`{key}` may be a schema's: no policy writes it")
            }
            WriteError::Stale(_) => f.write_str("something else stands there by now"),
            WriteError::TooLarge(bound) => write!(f, "over the bound of {bound} bytes"),
            WriteError::BudgetExhausted => f.write_str(SPENT),
            WriteError::Failed(failure) => write!(f, "the store failed: {failure}"),
        }
    }
}

impl fmt::Display for StagingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StagingError::NotFound => f.write_str("there is no such staged file"),
            StagingError::TooLarge(bound) => write!(f, "over the bound of {bound}"),
            StagingError::BudgetExhausted => f.write_str(SPENT),
            StagingError::Failed(cause) => write!(f, "staging can't be read: {cause}"),
        }
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StateError::TooLarge(limit) => write!(f, "state over its limit of {limit}"),
            StateError::BudgetExhausted => f.write_str(SPENT),
            StateError::Unavailable(cause) => write!(f, "the ledger failed: {cause}"),
        }
    }
}

impl Error for ReadError {}
impl Error for WriteError {}
impl Error for StagingError {}
impl Error for StateError {}

impl From<object_reader::ObjectContent> for ObjectContent {
    fn from(content: object_reader::ObjectContent) -> Self {
        Self {
            object: content.object.into(),
            bytes: content.bytes,
        }
    }
}

impl From<object_reader::ObjectPage> for ObjectPage {
    fn from(page: object_reader::ObjectPage) -> Self {
        let entry = |entry: object_reader::ObjectEntry| ObjectEntry {
            key: entry.key,
            size: entry.size,
            modified: Timestamp::from_millis(entry.modified),
        };
        Self {
            entries: page.entries.into_iter().map(entry).collect(),
            next: page.next,
        }
    }
}

impl From<staging::StagedFile> for StagedFile {
    fn from(file: staging::StagedFile) -> Self {
        Self {
            name: file.name,
            size: file.size,
            modified: Timestamp::from_millis(file.modified),
        }
    }
}

impl From<object_reader::ReadError> for ReadError {
    fn from(error: object_reader::ReadError) -> Self {
        use object_reader::ReadError as Wire;
        match error {
            Wire::NotGranted(key) => ReadError::NotGranted(key),
            Wire::NotFound => ReadError::NotFound,
            Wire::TooLarge(bound) => ReadError::TooLarge(bound),
            Wire::BudgetExhausted => ReadError::BudgetExhausted,
            Wire::Failed(failure) => ReadError::Failed(failure.into()),
        }
    }
}

impl From<object_writer::WriteError> for WriteError {
    fn from(error: object_writer::WriteError) -> Self {
        use object_writer::WriteError as Wire;
        match error {
            Wire::NotGranted(key) => WriteError::NotGranted(key),
            Wire::Reserved(key) => WriteError::Reserved(key),
            Wire::Stale(object) => WriteError::Stale(object.map(ObjectInfo::from)),
            Wire::TooLarge(bound) => WriteError::TooLarge(bound),
            Wire::BudgetExhausted => WriteError::BudgetExhausted,
            Wire::Failed(failure) => WriteError::Failed(failure.into()),
        }
    }
}

impl From<staging::StagingError> for StagingError {
    fn from(error: staging::StagingError) -> Self {
        use staging::StagingError as Wire;
        match error {
            Wire::NotFound => StagingError::NotFound,
            Wire::TooLarge(bound) => StagingError::TooLarge(bound),
            Wire::BudgetExhausted => StagingError::BudgetExhausted,
            Wire::Failed(cause) => StagingError::Failed(cause),
        }
    }
}

impl From<state::StateError> for StateError {
    fn from(error: state::StateError) -> Self {
        use state::StateError as Wire;
        match error {
            Wire::TooLarge(limit) => StateError::TooLarge(limit),
            Wire::BudgetExhausted => StateError::BudgetExhausted,
            Wire::Unavailable(cause) => StateError::Unavailable(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    #[test]
    fn objects_are_read_whole_in_two_calls_at_most() {
        for (size, calls) in [(0, 1), (65_536, 1), (65_537, 2), (3 << 20, 2)] {
            let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            let host = FakeHost::new().object("a", bytes.clone());
            assert!(host.read("a") == Ok(bytes), "{size} bytes");
            assert_eq!(host.asked().len(), calls, "{size} bytes");
        }
    }

    #[test]
    fn halves_of_two_objects_are_never_put_together() {
        let host = FakeHost::new()
            .object("a", vec![1; 100_000])
            .replaced("a", vec![2; 100_000]);
        assert_eq!(host.read("a"), Err(ReadError::NotFound));
    }

    #[test]
    fn listings_go_on_to_their_last_page_and_end_at_an_error() {
        let host = ["p/a", "p/b", "p/c", "q/d"]
            .iter()
            .fold(FakeHost::new().page(2), |host, key| host.object(key, ""));
        let keys: Vec<String> = host.objects("p/").map(|entry| entry.unwrap().key).collect();
        assert_eq!(keys, ["p/a", "p/b", "p/c"]);
        let down = FakeHost::new().unavailable("p/");
        assert_eq!(down.objects("p/").count(), 1);
    }
}
