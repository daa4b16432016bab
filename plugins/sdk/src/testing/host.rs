use std::cell::{Ref, RefCell};
use std::collections::BTreeMap;

use super::{NOW, store_failure};
use crate::{
    FailureKind, Host, Level, ObjectContent, ObjectEntry, ObjectInfo, ObjectPage, ReadError, Scope,
    StagedFile, StagingError, StateError, WriteError, WriteMode,
};

/// A host in memory: what it holds is said beforehand, what it was asked can be looked at afterwards.
///
/// ```
/// use tidegate_policy::testing::FakeHost;
/// use tidegate_policy::{Host, ReadError};
///
/// let host = FakeHost::new().object("app/.stream/.schema", "{}");
/// assert_eq!(host.read("app/.stream/.schema"), Ok(b"{}".to_vec()));
/// assert_eq!(host.head("else"), Err(ReadError::NotFound));
/// ```
#[derive(Debug, Default)]
pub struct FakeHost {
    objects: RefCell<BTreeMap<String, (ObjectInfo, Vec<u8>)>>,
    errors: BTreeMap<String, ReadError>,
    successors: RefCell<BTreeMap<String, Vec<u8>>>,
    page: Option<usize>,
    files: BTreeMap<String, Vec<u8>>,
    state: RefCell<BTreeMap<(String, String), Vec<u8>>>,
    state_fails: bool,
    contended: bool,
    asked: RefCell<Vec<String>>,
    logged: RefCell<Vec<(Level, String)>>,
    versions: RefCell<u64>,
}

impl FakeHost {
    /// A host that holds nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// An object stands under this key.
    #[must_use]
    pub fn object(self, key: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.write(key, bytes.into());
        self
    }

    /// Another writer replaces the object under this key as soon as it was read from once.
    #[must_use]
    pub fn replaced(self, key: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let mut successors = self.successors.borrow_mut();
        successors.insert(key.to_owned(), bytes.into());
        drop(successors);
        self
    }

    /// Reads of this key, and listings of this prefix, fail so.
    #[must_use]
    pub fn failing(mut self, key_or_prefix: &str, error: ReadError) -> Self {
        self.errors.insert(key_or_prefix.to_owned(), error);
        self
    }

    /// Reads of this key, and listings of this prefix, fail because the store is unavailable.
    #[must_use]
    pub fn unavailable(self, key_or_prefix: &str) -> Self {
        let failure = store_failure(FailureKind::Unavailable);
        self.failing(key_or_prefix, ReadError::Failed(failure))
    }

    /// Listings come in pages of so many objects, however many are asked for.
    #[must_use]
    pub fn page(mut self, objects: usize) -> Self {
        self.page = Some(objects.max(1));
        self
    }

    /// A file of this name is staged.
    #[must_use]
    pub fn file(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.insert(name.to_owned(), bytes.into());
        self
    }

    /// The policy's state holds this value.
    #[must_use]
    pub fn state(self, scope: Scope, key: &str, value: impl Into<Vec<u8>>) -> Self {
        let place = place(scope, key);
        self.state.borrow_mut().insert(place, value.into());
        self
    }

    /// The ledger, and with it the policy's state, fails.
    #[must_use]
    pub fn without_state(mut self) -> Self {
        self.state_fails = true;
        self
    }

    /// Another decision is faster: every swap finds something else.
    #[must_use]
    pub fn contended(mut self) -> Self {
        self.contended = true;
        self
    }

    /// What the policy's state holds under a key.
    pub fn stored(&self, scope: Scope, key: &str) -> Option<Vec<u8>> {
        self.state.borrow().get(&place(scope, key)).cloned()
    }

    /// The keys, prefixes and names of files that were asked for, in order.
    pub fn asked(&self) -> Ref<'_, Vec<String>> {
        self.asked.borrow()
    }

    /// The lines that were logged.
    pub fn logged(&self) -> Ref<'_, Vec<(Level, String)>> {
        self.logged.borrow()
    }

    fn write(&self, key: &str, bytes: Vec<u8>) -> ObjectInfo {
        let mut versions = self.versions.borrow_mut();
        *versions += 1;
        let object = ObjectInfo {
            size: bytes.len() as u64,
            modified: NOW,
            version: Some(format!("\"{versions}\"")),
        };
        let stored = (object.clone(), bytes);
        self.objects.borrow_mut().insert(key.to_owned(), stored);
        object
    }

    fn ask(&self, what: &str) -> Result<(), ReadError> {
        self.asked.borrow_mut().push(what.to_owned());
        match self.errors.get(what) {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    fn find(&self, key: &str) -> Result<(ObjectInfo, Vec<u8>), ReadError> {
        self.ask(key)?;
        let objects = self.objects.borrow();
        objects.get(key).cloned().ok_or(ReadError::NotFound)
    }
}

impl Host for FakeHost {
    fn head(&self, key: &str) -> Result<ObjectInfo, ReadError> {
        self.find(key).map(|(object, _)| object)
    }

    fn get(&self, key: &str, offset: u64, length: u32) -> Result<ObjectContent, ReadError> {
        let (object, bytes) = self.find(key)?;
        let bytes = part(&bytes, offset, length);
        let successor = self.successors.borrow_mut().remove(key);
        if let Some(successor) = successor {
            self.write(key, successor);
        }
        Ok(ObjectContent { object, bytes })
    }

    fn list_objects(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<ObjectPage, ReadError> {
        self.ask(prefix)?;
        let limit = self.page.unwrap_or(1000).min(limit.max(1) as usize);
        let objects = self.objects.borrow();
        let mut under = objects.iter().filter(|(key, _)| {
            key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after)
        });
        let entry = |(key, (object, _)): (&String, &(ObjectInfo, Vec<u8>))| ObjectEntry {
            key: key.clone(),
            size: object.size,
            modified: object.modified,
        };
        let entries: Vec<_> = under.by_ref().take(limit).map(entry).collect();
        let next = under
            .next()
            .and(entries.last())
            .map(|last| last.key.clone());
        Ok(ObjectPage { entries, next })
    }

    fn put(&self, key: &str, bytes: &[u8], mode: &WriteMode) -> Result<ObjectInfo, WriteError> {
        self.asked.borrow_mut().push(key.to_owned());
        let standing = self
            .objects
            .borrow()
            .get(key)
            .map(|(object, _)| object.clone());
        let fits = match (mode, &standing) {
            (WriteMode::Create, standing) => standing.is_none(),
            (WriteMode::Update(version), standing) => standing
                .as_ref()
                .is_some_and(|object| object.version.as_ref() == Some(version)),
        };
        match fits {
            true => Ok(self.write(key, bytes.to_vec())),
            false => Err(WriteError::Stale(standing)),
        }
    }

    fn list_files(&self) -> Result<Vec<StagedFile>, StagingError> {
        let file = |(name, bytes): (&String, &Vec<u8>)| StagedFile {
            name: name.clone(),
            size: bytes.len() as u64,
            modified: NOW,
        };
        Ok(self.files.iter().map(file).collect())
    }

    fn read_file(&self, name: &str, offset: u64, length: u32) -> Result<Vec<u8>, StagingError> {
        self.asked.borrow_mut().push(name.to_owned());
        let bytes = self.files.get(name).ok_or(StagingError::NotFound)?;
        Ok(part(bytes, offset, length))
    }

    fn load(&self, scope: Scope, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        match self.state_fails {
            true => Err(StateError::Unavailable("disk full".to_owned())),
            false => Ok(self.stored(scope, key)),
        }
    }

    fn swap(
        &self,
        scope: Scope,
        key: &str,
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, StateError> {
        let held = self.load(scope, key)?;
        if self.contended || held.as_deref() != expected {
            return Ok(false);
        }
        let mut state = self.state.borrow_mut();
        match value {
            Some(value) => state.insert(place(scope, key), value.to_vec()),
            None => state.remove(&place(scope, key)),
        };
        Ok(true)
    }

    fn log(&self, level: Level, message: &str) {
        self.logged.borrow_mut().push((level, message.to_owned()));
    }
}

fn place(scope: Scope, key: &str) -> (String, String) {
    (format!("{scope:?}"), key.to_owned())
}

fn part(bytes: &[u8], offset: u64, length: u32) -> Vec<u8> {
    let start = usize::try_from(offset)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    let end = start.saturating_add(length as usize).min(bytes.len());
    bytes[start..end].to_vec()
}
