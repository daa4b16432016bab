//! The host that a component reaches through its imports.

use crate::bindings::{log, object_reader, object_writer, staging, state};
use crate::{
    Host, Level, ObjectContent, ObjectInfo, ObjectPage, ReadError, Scope, StagedFile, StagingError,
    StateError, WriteError, WriteMode,
};

/// The real host. Nothing answers outside of a component.
pub(crate) struct Imports;

impl Host for Imports {
    fn head(&self, key: &str) -> Result<ObjectInfo, ReadError> {
        Ok(object_reader::head(key)?.into())
    }

    fn get(&self, key: &str, offset: u64, length: u32) -> Result<ObjectContent, ReadError> {
        Ok(object_reader::get(key, offset, length)?.into())
    }

    fn list_objects(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<ObjectPage, ReadError> {
        Ok(object_reader::list_objects(prefix, after, limit)?.into())
    }

    fn put(&self, key: &str, bytes: &[u8], mode: &WriteMode) -> Result<ObjectInfo, WriteError> {
        let mode = match mode {
            WriteMode::Create => object_writer::WriteMode::Create,
            WriteMode::Update(version) => object_writer::WriteMode::Update(version.clone()),
        };
        Ok(object_writer::put(key, bytes, &mode)?.into())
    }

    fn list_files(&self) -> Result<Vec<StagedFile>, StagingError> {
        let files = staging::list_files()?;
        Ok(files.into_iter().map(StagedFile::from).collect())
    }

    fn read_file(&self, name: &str, offset: u64, length: u32) -> Result<Vec<u8>, StagingError> {
        Ok(staging::read_file(name, offset, length)?)
    }

    fn load(&self, scope: Scope, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        Ok(state::load(scope, key)?)
    }

    fn swap(
        &self,
        scope: Scope,
        key: &str,
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, StateError> {
        Ok(state::swap(scope, key, expected, value)?)
    }

    fn log(&self, level: Level, message: &str) {
        log::write(level, message);
    }
}
