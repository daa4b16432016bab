use std::marker::PhantomData;

use wasmtime::StoreContextMut;
use wasmtime::component::{HasData, Linker};

use super::LOG;
use super::bindings::tidegate::policy::{log, object_reader, object_writer, staging, state, types};
use super::to_guest::{object_info, store_failure};
use crate::contract::imports::{Imports, write_line, write_mode};
use crate::contract::{LogLevel, ReadError, StagingError, StateError, StateScope, WriteError};

/// Whoever answers the imports, as this version's bindings see it.
struct Answering<'a, T>(&'a mut T);

struct Has<T>(PhantomData<T>);

impl<T: 'static> HasData for Has<T> {
    type Data<'a> = Answering<'a, T>;
}

pub(crate) fn add_to_linker<T: Imports>(
    linker: &mut Linker<T>,
    writer: bool,
) -> wasmtime::Result<()> {
    types::add_to_linker::<_, Has<T>>(linker, |data| Answering(data))?;
    object_reader::add_to_linker::<_, Has<T>>(linker, |data| Answering(data))?;
    staging::add_to_linker::<_, Has<T>>(linker, |data| Answering(data))?;
    state::add_to_linker::<_, Has<T>>(linker, |data| Answering(data))?;
    // By hand, since the generated trait does not reach the store's fuel.
    linker.instance(LOG)?.func_wrap(
        "write",
        |store: StoreContextMut<'_, T>, (level, message): (log::Level, String)| {
            write_line(store, level.into(), &message)
        },
    )?;
    if writer {
        object_writer::add_to_linker::<_, Has<T>>(linker, |data| Answering(data))?;
    }
    Ok(())
}

impl<T: Imports> types::Host for Answering<'_, T> {}

impl<T: Imports> object_reader::Host for Answering<'_, T> {
    async fn head(
        &mut self,
        key: String,
    ) -> wasmtime::Result<Result<object_reader::ObjectInfo, object_reader::ReadError>> {
        let answer = self.0.head(key).await?;
        Ok(answer.map(object_info).map_err(Into::into))
    }

    async fn get(
        &mut self,
        key: String,
        offset: u64,
        length: u32,
    ) -> wasmtime::Result<Result<object_reader::ObjectContent, object_reader::ReadError>> {
        let answer = self.0.get(key, offset, length).await?;
        let content = answer.map(|(object, bytes)| object_reader::ObjectContent {
            object: object_info(object),
            bytes: bytes.into(),
        });
        Ok(content.map_err(Into::into))
    }

    async fn list_objects(
        &mut self,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> wasmtime::Result<Result<object_reader::ObjectPage, object_reader::ReadError>> {
        let answer = self.0.list_objects(prefix, after, limit).await?;
        let page = answer.map(|page| object_reader::ObjectPage {
            entries: page
                .entries
                .into_iter()
                .map(|entry| object_reader::ObjectEntry {
                    key: entry.key,
                    size: entry.size,
                    modified: entry.modified.as_millis(),
                })
                .collect(),
            next: page.next,
        });
        Ok(page.map_err(Into::into))
    }
}

impl<T: Imports> object_writer::Host for Answering<'_, T> {
    async fn put(
        &mut self,
        key: String,
        bytes: Vec<u8>,
        mode: object_writer::WriteMode,
    ) -> wasmtime::Result<Result<object_writer::ObjectInfo, object_writer::WriteError>> {
        let mode = write_mode(match mode {
            object_writer::WriteMode::Create => None,
            object_writer::WriteMode::Update(version) => Some(version),
        });
        let answer = self.0.put(key, bytes, mode).await?;
        Ok(answer.map(object_info).map_err(Into::into))
    }
}

impl<T: Imports> staging::Host for Answering<'_, T> {
    async fn list_files(
        &mut self,
    ) -> wasmtime::Result<Result<Vec<staging::StagedFile>, staging::StagingError>> {
        let files = self.0.list_files().await?.map(|files| {
            let files = files.into_iter().map(|file| staging::StagedFile {
                name: file.name,
                size: file.size,
                modified: file.modified.as_millis(),
            });
            files.collect()
        });
        Ok(files.map_err(Into::into))
    }

    async fn read_file(
        &mut self,
        name: String,
        offset: u64,
        length: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, staging::StagingError>> {
        let answer = self.0.read_file(name, offset, length).await?;
        Ok(answer.map(Into::into).map_err(Into::into))
    }
}

impl<T: Imports> state::Host for Answering<'_, T> {
    async fn load(
        &mut self,
        scope: state::Scope,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, state::StateError>> {
        let answer = self.0.load(scope.into(), key).await?;
        Ok(answer.map_err(Into::into))
    }

    async fn swap(
        &mut self,
        scope: state::Scope,
        key: String,
        expected: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    ) -> wasmtime::Result<Result<bool, state::StateError>> {
        let answer = self.0.swap(scope.into(), key, expected, value).await?;
        Ok(answer.map_err(Into::into))
    }
}

impl From<ReadError> for object_reader::ReadError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotGranted(key) => Self::NotGranted(key),
            ReadError::NotFound => Self::NotFound,
            ReadError::TooLarge(room) => Self::TooLarge(room),
            ReadError::BudgetExhausted => Self::BudgetExhausted,
            ReadError::Failed(failure) => Self::Failed(store_failure(failure)),
        }
    }
}

impl From<WriteError> for object_writer::WriteError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::NotGranted(key) => Self::NotGranted(key),
            WriteError::Reserved(key) => Self::Reserved(key),
            WriteError::Stale(object) => Self::Stale(object.map(object_info)),
            WriteError::TooLarge(room) => Self::TooLarge(room),
            WriteError::BudgetExhausted => Self::BudgetExhausted,
            WriteError::Failed(failure) => Self::Failed(store_failure(failure)),
        }
    }
}

impl From<StagingError> for staging::StagingError {
    fn from(error: StagingError) -> Self {
        match error {
            StagingError::NotFound => Self::NotFound,
            StagingError::TooLarge(room) => Self::TooLarge(room),
            StagingError::BudgetExhausted => Self::BudgetExhausted,
            StagingError::Failed(cause) => Self::Failed(cause),
        }
    }
}

impl From<StateError> for state::StateError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::TooLarge(limit) => Self::TooLarge(limit),
            StateError::BudgetExhausted => Self::BudgetExhausted,
            StateError::Unavailable(cause) => Self::Unavailable(cause),
        }
    }
}

impl From<state::Scope> for StateScope {
    fn from(scope: state::Scope) -> Self {
        match scope {
            state::Scope::ThisStream => StateScope::Stream,
            state::Scope::ThisNode => StateScope::Node,
        }
    }
}

impl From<log::Level> for LogLevel {
    fn from(level: log::Level) -> Self {
        match level {
            log::Level::Trace => LogLevel::Trace,
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Error => LogLevel::Error,
        }
    }
}
