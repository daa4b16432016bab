//! Contents of objects and files, as scenarios write them.

use std::collections::BTreeMap;
use std::str::FromStr;

use arrow_schema::{DataType, Field};
use bytes::Bytes;

use crate::schema::Schema;
use crate::text::counted;

/// The schema of these fields, each nullable, with types as arrow-schema displays them: `Int64`, `Timestamp(ms)`.
///
/// # Errors
///
/// A type that there is not; the field's name and what is wrong with its type.
pub(super) fn schema(fields: &BTreeMap<String, String>) -> Result<Schema, (String, String)> {
    let fields = fields.iter().map(|(name, text)| {
        let data_type = DataType::from_str(text)
            .map_err(|error| (name.clone(), format!("`{text}` is no type: {error}")))?;
        Ok::<_, (String, String)>(Field::new(name, data_type, true))
    });
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    Schema::from_arrow(arrow_schema::Schema::new(fields))
        .map_err(|error| (String::new(), error.to_string()))
}

/// A stream's marker, as much of it as Parseable's has and Tidegate reads.
pub(super) fn marker(created_at: &str) -> Bytes {
    let marker = serde_json::json!({
        "version": "v6",
        "objectstore-format": "v6",
        "created-at": created_at,
        "stream_type": "UserDefined",
    });
    marker.to_string().into()
}

/// What bytes hold, in words.
pub(super) fn in_words(content: &Bytes) -> String {
    match Schema::parse(content) {
        Ok(schema) => fields(&schema),
        Err(_) => format!(
            "{} that are not a valid schema",
            counted(content.len(), "byte")
        ),
    }
}

/// A schema's fields, in words.
pub(super) fn fields(schema: &Schema) -> String {
    let fields: Vec<_> = schema
        .fields()
        .map(|field| format!("{} {}", field.name, field.data_type))
        .collect();
    match fields.is_empty() {
        true => "a schema without fields".to_owned(),
        false => format!("a schema of {}", fields.join(", ")),
    }
}
