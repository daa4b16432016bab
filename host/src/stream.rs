//! Which stream, and which node.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A stream of one node: its name, and its tenant where the layout has tenants.
///
/// Any UTF-8 is a name as long as it is one segment of a path: `/`, NUL, `.` and `..` never get here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamId {
    /// The stream's tenant.
    pub tenant: Option<Arc<str>>,
    /// The stream's name.
    pub name: Arc<str>,
}

impl StreamId {
    /// The stream of this name, without a tenant.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            tenant: None,
            name: name.into(),
        }
    }

    /// The stream of this name and tenant.
    pub fn with_tenant(tenant: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self {
            tenant: Some(tenant.into()),
            name: name.into(),
        }
    }
}

impl fmt::Display for StreamId {
    /// `tenant/name`, or `name`; control characters are escaped, since names come from the file system.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tenant) = &self.tenant {
            write_escaped(f, tenant)?;
            f.write_str("/")?;
        }
        write_escaped(f, &self.name)
    }
}

fn write_escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for character in text.chars() {
        if character.is_control() {
            write!(f, "{}", character.escape_default())?;
        } else {
            write!(f, "{character}")?;
        }
    }
    Ok(())
}

/// A node's identity as it appears in object keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(Arc<str>);

impl NodeId {
    /// A node's identity: one segment of a path.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(f, &self.0)
    }
}
