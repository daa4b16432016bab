//! Components as the command line names them.

use std::sync::Arc;

use crate::policy::ComponentSource;
use crate::registry::{ReferenceError, RegistrySettings, SCHEME};

/// A file, `builtin:NAME`, or `oci://…`, where a tag will do: whoever types it means what it means now.
pub(super) fn component(text: &str) -> Result<ComponentSource, ReferenceError> {
    if let Some(name) = text.strip_prefix("builtin:") {
        return Ok(ComponentSource::Builtin(name.to_owned()));
    }
    if text.starts_with(SCHEME) {
        let settings = RegistrySettings {
            allow_tags: true,
            ..RegistrySettings::default()
        };
        return Ok(ComponentSource::Registry(text.parse()?, Arc::new(settings)));
    }
    Ok(ComponentSource::File(text.into()))
}
