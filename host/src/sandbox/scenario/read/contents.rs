//! Contents of files and objects.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Reader;
use crate::config::Problem;
use crate::sandbox::scenario::content;
use crate::schema::Schema;

/// The most that a content may hold, in bytes: enough to be over the limit of staged schemas.
const MAX_CONTENT: u64 = 256 << 20;

impl Reader<'_> {
    /// A content that is written in one of three ways.
    pub(super) fn content(
        &self,
        path: &[&str],
        fields: Option<&BTreeMap<String, String>>,
        text: Option<&String>,
        file: Option<&String>,
    ) -> Result<Bytes, Problem> {
        let at = |key: &'static str| [path, &[key]].concat();
        match (fields, text, file) {
            (Some(fields), None, None) => Ok(self.schema(&at("fields"), fields)?.to_json()),
            (None, Some(text), None) => Ok(text.clone().into()),
            (None, None, Some(name)) => self.read_file(&at("file"), name),
            (None, None, None) => Err(self
                .source
                .problem(path, "say what it holds: `fields`, `text` or `file`")),
            _ => Err(self.source.problem(
                path,
                "one of `fields`, `text` and `file` says what it holds, not several",
            )),
        }
    }

    pub(super) fn schema(
        &self,
        path: &[&str],
        fields: &BTreeMap<String, String>,
    ) -> Result<Schema, Problem> {
        content::schema(fields).map_err(|(field, message)| {
            let place = [path, &[field.as_str()]].concat();
            self.source.problem(&place, message)
        })
    }

    fn read_file(&self, path: &[&str], name: &str) -> Result<Bytes, Problem> {
        let named = self.dir.join(name);
        let size = std::fs::metadata(&named).map(|found| found.len());
        let read = match size {
            Ok(size) if size > MAX_CONTENT => {
                let message = format!("{} is over {MAX_CONTENT} bytes", named.display());
                return Err(self.source.problem(path, message));
            }
            Ok(_) => std::fs::read(&named),
            Err(error) => Err(error),
        };
        read.map(Bytes::from).map_err(|error| {
            let message = format!("can't read {}: {error}", named.display());
            self.source.problem(path, message)
        })
    }
}
