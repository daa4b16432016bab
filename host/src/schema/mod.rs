//! Arrow schemas as an ingest node stages them: parsed, compared by meaning, merged, and written again.
//!
//! Nodes restage the same schema with its fields in a different order every minute, so bytes say little. A [`Schema`]
//! is therefore kept in one canonical form from the moment it is parsed, and two schemas that mean the same are equal,
//! print the same JSON and have the same fingerprint.

mod json;
mod merge;
mod parse;
#[cfg(test)]
mod properties;
mod retype;
mod union;

use std::fmt::{self, Write};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

pub(crate) use merge::shown;
pub use merge::{Conflict, Stray};
pub use parse::{MAX_DEPTH, MAX_FIELDS, SchemaError};
pub use retype::RetypeError;

/// An Arrow schema in canonical form, cheap to clone.
///
/// The canonical form: the fields of the schema and of every struct in it are sorted by the bytes of their names (a
/// map's two entry fields keep their places, since those carry meaning), no two siblings share a name, and the
/// deprecated dictionary ids are 0. Equality is therefore equality of meaning: names, types, nullability, metadata.
///
/// ```
/// use tidegate::schema::Schema;
///
/// let staged = br#"{"fields":[
///     {"name":"b","data_type":"Utf8","nullable":true,"dict_id":0,"dict_is_ordered":false,"metadata":{}},
///     {"name":"a","data_type":"Int64","nullable":true,"dict_id":0,"dict_is_ordered":false,"metadata":{}}
/// ],"metadata":{}}"#;
/// let staged = Schema::parse(staged)?;
/// assert!(staged.covers(&Schema::empty()));
/// assert_eq!(staged.merge(&Schema::empty()).as_ref(), Ok(&staged));
/// # Ok::<(), tidegate::schema::SchemaError>(())
/// ```
#[derive(Clone)]
pub struct Schema(Arc<Canonical>);

struct Canonical {
    arrow: arrow_schema::Schema,
    /// Made when somebody first asks for it: a schema is written and compared more often than it is parsed.
    written: OnceLock<Written>,
}

struct Written {
    json: Bytes,
    hash: [u8; 32],
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        // Arrow leaves a dictionary's order out of its own equality, yet refuses to merge where it differs.
        let ordered = |schema: &Self| -> Vec<_> {
            let fields = schema.as_arrow().flattened_fields();
            fields.into_iter().map(|f| f.dict_is_ordered()).collect()
        };
        self.is_shared(other)
            || self.as_arrow() == other.as_arrow() && ordered(self) == ordered(other)
    }
}

impl Eq for Schema {}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema")
            .field("arrow", self.as_arrow())
            .finish()
    }
}

/// A field as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldText {
    /// The field's name.
    pub name: String,
    /// Its type, in Arrow's own words (`Utf8`, `Timestamp(ms)`, …).
    pub data_type: String,
    /// Whether it may be null.
    pub nullable: bool,
}

impl Schema {
    /// The schema without fields: `{"fields":[],"metadata":{}}`.
    pub fn empty() -> Self {
        Self::canonical(arrow_schema::Schema::empty())
    }

    /// Takes over what is in canonical form already.
    fn canonical(arrow: arrow_schema::Schema) -> Self {
        Self(Arc::new(Canonical {
            arrow,
            written: OnceLock::new(),
        }))
    }

    /// The schema as arrow-schema has it, in canonical form.
    pub fn as_arrow(&self) -> &arrow_schema::Schema {
        &self.0.arrow
    }

    /// Whether the other one is a clone of this one, or the reverse. Cheap; equal schemas need not be clones.
    pub fn is_shared(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.as_arrow().fields().is_empty()
    }

    /// The top-level fields in canonical order, for people.
    pub fn fields(&self) -> impl Iterator<Item = FieldText> + '_ {
        self.as_arrow().fields().iter().map(|field| FieldText {
            name: field.name().clone(),
            data_type: field.data_type().to_string(),
            nullable: field.is_nullable(),
        })
    }

    /// The schema as JSON, in the serde form that arrow-schema 58 and 60 read (`dict_id`, `dict_is_ordered` and
    /// `metadata` of every field included), without white space, fields in canonical order, metadata sorted by key.
    /// Equal schemas give equal bytes.
    pub fn to_json(&self) -> Bytes {
        self.written().json.clone()
    }

    /// SHA-256 of [`to_json`](Self::to_json) in lower-case hexadecimal: equal exactly when the meaning is.
    pub fn digest(&self) -> String {
        let mut text = String::with_capacity(64);
        for byte in self.written().hash {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    /// The first eight bytes of the SHA-256, read big-endian; 1 in place of 0, which means "no well-formed schema"
    /// in the contract. The same on every platform and in every version of Tidegate.
    pub fn fingerprint(&self) -> u64 {
        let hash = self.written().hash;
        hash.into_iter()
            .take(8)
            .fold(0, |sum, byte| (sum << 8) | u64::from(byte))
            .max(1)
    }

    fn written(&self) -> &Written {
        self.0.written.get_or_init(|| {
            let json = Bytes::from(json::write(self.as_arrow()));
            let hash = Sha256::digest(&json).into();
            Written { json, hash }
        })
    }
}

/// A text from a file as it may be shown: control characters escaped.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGED: &[u8] = include_bytes!(
        "../../../tests/data/parseable-2.9.5/staging/pstats/.ingestor.95659b0612138de.schema"
    );
    const STORED: &[u8] = include_bytes!(
        "../../../tests/data/parseable-2.9.5/store/pstats/.stream/.ingestor.95659b0612138de.schema"
    );

    #[test]
    fn captured_files_of_different_field_order_mean_the_same() {
        let (staged, stored) = (
            Schema::parse(STAGED).unwrap(),
            Schema::parse(STORED).unwrap(),
        );
        assert_eq!(staged, stored);
        assert_eq!(staged.fingerprint(), stored.fingerprint());
        assert_eq!(staged.digest(), stored.digest());
        assert_eq!(
            staged.to_json(),
            STORED,
            "the stored one is sorted already, so it is written as it was"
        );
    }

    #[test]
    fn fingerprints_never_change_between_versions() {
        // Ledgers hold these: a change here makes every stream of every installation look changed. The values are
        // what sha256sum says of the canonical files.
        assert_eq!(
            Schema::empty().digest(),
            "1a66ceeb98a6c83f30456db7176adabaa36872b24783179ffac898c2061f9eef"
        );
        assert_eq!(Schema::empty().fingerprint(), 0x1a66_ceeb_98a6_c83f);
        assert_eq!(
            Schema::parse(STAGED).unwrap().fingerprint(),
            0x4a54_6aa9_67a1_8362
        );
    }

    #[test]
    fn arrow_60_reads_what_is_written() {
        let schema = Schema::parse(STAGED).unwrap();
        let read: arrow_schema_60::Schema = serde_json::from_slice(&schema.to_json()).unwrap();
        assert_eq!(read.fields().len(), 9);
        assert_eq!(read.field(0).name(), "dataset_name");
    }

    #[test]
    fn fields_are_readable() {
        let field = Schema::parse(STAGED).unwrap().fields().nth(6).unwrap();
        assert_eq!(field.name, "p_timestamp");
        assert_eq!(field.data_type, "Timestamp(ms)");
        assert!(field.nullable);
        assert!(Schema::empty().is_empty());
    }
}
