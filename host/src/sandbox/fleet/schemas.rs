//! The schemas of a fleet's streams: each version has one field more than the one before.

use std::sync::Arc;

use bytes::Bytes;

use crate::schema::Schema;

/// The fields that a stream begins with, as a service's logs have them.
const FIELDS: [(&str, &str); 12] = [
    ("p_timestamp", r#"{"Timestamp":["Millisecond",null]}"#),
    ("level", r#""Utf8""#),
    ("message", r#""Utf8""#),
    ("service", r#""Utf8""#),
    ("host", r#""Utf8""#),
    ("trace_id", r#""Utf8""#),
    ("span_id", r#""Utf8""#),
    ("status", r#""Int64""#),
    ("duration_ms", r#""Float64""#),
    ("user_agent", r#""Utf8""#),
    ("path", r#""Utf8""#),
    ("success", r#""Boolean""#),
];

/// One version.
#[derive(Clone, Debug)]
pub(super) struct Version {
    /// The file that a node stages.
    pub(super) staged: Bytes,
    /// What it means.
    schema: Schema,
    /// What is published of it where nothing else is known.
    published: Bytes,
}

/// All versions that come up, the first at 0. Clones are cheap.
#[derive(Clone, Debug)]
pub(super) struct Versions(Arc<[Version]>);

impl Versions {
    /// As many versions.
    pub(super) fn new(count: usize) -> Self {
        let versions = (0..count).map(|number| {
            let fields = FIELDS.iter().map(|(name, kind)| field(name, kind));
            let added = (0..number).map(|added| field(&format!("added_{added:05}"), r#""Utf8""#));
            let fields: Vec<_> = fields.chain(added).collect();
            let staged = format!(r#"{{"fields":[{}],"metadata":{{}}}}"#, fields.join(","));
            // A schema of ours that did not parse would never be seen in the store, and the run would say so.
            let schema = Schema::parse(staged.as_bytes()).unwrap_or_else(|_| Schema::empty());
            Version {
                published: schema.to_json(),
                staged: staged.into(),
                schema,
            }
        });
        Self(versions.collect())
    }

    /// The file of this version.
    pub(super) fn staged(&self, version: usize) -> Bytes {
        let version = self.0.get(version).or(self.0.last());
        version
            .map(|version| version.staged.clone())
            .unwrap_or_default()
    }

    /// Whether what stands in the store holds all of this version.
    pub(super) fn holds(&self, stored: &Bytes, version: usize) -> bool {
        let Some(version) = self.0.get(version) else {
            return false;
        };
        *stored == version.published
            || Schema::parse(stored).is_ok_and(|stored| stored.covers(&version.schema))
    }
}

fn field(name: &str, kind: &str) -> String {
    format!(
        r#"{{"name":"{name}","data_type":{kind},"nullable":true,"dict_id":0,"dict_is_ordered":false,"metadata":{{}}}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_versions_hold_earlier_ones() {
        let versions = Versions::new(3);
        let stored = Schema::parse(&versions.staged(1)).unwrap().to_json();
        assert!(versions.holds(&stored, 0) && versions.holds(&stored, 1));
        assert!(!versions.holds(&stored, 2));
        assert!(!versions.holds(&Bytes::from_static(b"{"), 0));
        let fields = |version| {
            Schema::parse(&versions.staged(version))
                .unwrap()
                .fields()
                .count()
        };
        assert_eq!((fields(0), fields(2)), (FIELDS.len(), FIELDS.len() + 2));
    }
}
