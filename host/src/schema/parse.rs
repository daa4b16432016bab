//! From bytes to the canonical form, refusing what an ingest node could not read either.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, UnionFields};
use serde_json::error::Category;

use super::{Schema, visible};

/// How deep brackets may nest in a schema's JSON. It is what `serde_json`, and with it Parseable, reads at most.
pub const MAX_DEPTH: usize = 127;

/// How many fields a schema may have, those inside structs, lists and so on included.
pub const MAX_FIELDS: usize = 100_000;

/// Why bytes are no schema. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// There is nothing, or white space only.
    #[error("empty: no schema has been written yet")]
    Empty,
    /// The JSON ends too early, as it does while it is being written.
    #[error("truncated at line {line}, column {column}")]
    Truncated {
        /// Where it ends.
        line: usize,
        /// Where it ends.
        column: usize,
    },
    /// A UTF-8 byte order mark, which JSON forbids and ingest nodes refuse.
    #[error("starts with a byte order mark: save it as UTF-8 without one")]
    ByteOrderMark,
    /// Not JSON.
    #[error("not JSON: {message}")]
    NotJson {
        /// What the parser says, with the place.
        message: String,
    },
    /// JSON, but no Arrow schema in arrow-schema's serde form.
    #[error("JSON, but no Arrow schema: {message}")]
    NotArrow {
        /// What the parser says, with the place.
        message: String,
    },
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels at byte {offset}")]
    TooDeep {
        /// Where the limit is passed.
        offset: usize,
    },
    /// More than [`MAX_FIELDS`] fields.
    #[error("more than {MAX_FIELDS} fields")]
    TooManyFields,
    /// Two fields of one name beside each other: which one counts would be a guess.
    #[error("field `{field}` is there twice")]
    DuplicateField {
        /// The field's dotted path.
        field: String,
    },
}

impl Schema {
    /// Reads a schema in arrow-schema's serde form.
    ///
    /// # Errors
    ///
    /// See [`SchemaError`]; what is refused here is never uploaded.
    pub fn parse(bytes: &[u8]) -> Result<Self, SchemaError> {
        if bytes.starts_with(b"\xEF\xBB\xBF") {
            return Err(SchemaError::ByteOrderMark);
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(SchemaError::Empty);
        }
        check_depth(bytes)?;
        let arrow = serde_json::from_slice(bytes).map_err(|error| match error.classify() {
            Category::Eof => SchemaError::Truncated {
                line: error.line(),
                column: error.column(),
            },
            Category::Data => SchemaError::NotArrow {
                message: error.to_string(),
            },
            Category::Syntax | Category::Io => SchemaError::NotJson {
                message: error.to_string(),
            },
        })?;
        Self::from_arrow(arrow)
    }

    /// Takes over a schema that was made by arrow-schema.
    ///
    /// # Errors
    ///
    /// More than [`MAX_FIELDS`] fields, or two siblings of one name.
    pub fn from_arrow(schema: arrow_schema::Schema) -> Result<Self, SchemaError> {
        let mut canon = Canon {
            left: MAX_FIELDS,
            path: Vec::new(),
        };
        let fields = canon.sorted(&schema.fields)?;
        Ok(Self::canonical(arrow_schema::Schema::new_with_metadata(
            fields,
            schema.metadata,
        )))
    }
}

/// Bounds the nesting before the parser recurses, so that the refusal is ours and clear.
fn check_depth(bytes: &[u8]) -> Result<(), SchemaError> {
    // Few brackets nest to no depth, and counting them is far quicker than following them.
    if bytes.iter().filter(|byte| is_opening(**byte)).count() <= MAX_DEPTH {
        return Ok(());
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (offset, byte) in bytes.iter().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            _ if is_opening(*byte) => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(SchemaError::TooDeep { offset });
        }
    }
    Ok(())
}

fn is_opening(byte: u8) -> bool {
    matches!(byte, b'[' | b'{')
}

/// Brings fields into canonical form. Recursion is bounded by [`MAX_DEPTH`] for all that was parsed.
struct Canon {
    /// How many fields may still come.
    left: usize,
    path: Vec<String>,
}

impl Canon {
    fn sorted(&mut self, fields: &Fields) -> Result<Fields, SchemaError> {
        let mut fields = self.in_place(fields)?;
        fields.sort_by(|a, b| a.name().cmp(b.name()));
        let twice = fields.windows(2).find_map(|pair| match pair {
            [a, b] if a.name() == b.name() => Some(a.name().clone()),
            _ => None,
        });
        match twice {
            Some(name) => {
                self.path.push(name);
                Err(SchemaError::DuplicateField {
                    field: visible(&self.path.join(".")),
                })
            }
            None => Ok(fields.into()),
        }
    }

    fn in_place(&mut self, fields: &Fields) -> Result<Vec<FieldRef>, SchemaError> {
        fields.iter().map(|field| self.field(field)).collect()
    }

    fn field(&mut self, field: &FieldRef) -> Result<FieldRef, SchemaError> {
        self.left = self.left.checked_sub(1).ok_or(SchemaError::TooManyFields)?;
        let data_type = field.data_type();
        if !data_type.is_nested()
            && !matches!(
                data_type,
                DataType::Dictionary(..) | DataType::RunEndEncoded(..)
            )
        {
            return Ok(Arc::clone(field));
        }
        self.path.push(field.name().clone());
        let data_type = self.data_type(field.data_type())?;
        self.path.pop();
        let ordered = field.dict_is_ordered().unwrap_or(false);
        Ok(Arc::new(
            Field::new(field.name(), data_type, field.is_nullable())
                .with_dict_is_ordered(ordered)
                .with_metadata(field.metadata().clone()),
        ))
    }

    fn data_type(&mut self, data_type: &DataType) -> Result<DataType, SchemaError> {
        Ok(match data_type {
            DataType::Struct(fields) => DataType::Struct(self.sorted(fields)?),
            DataType::List(field) => DataType::List(self.field(field)?),
            DataType::ListView(field) => DataType::ListView(self.field(field)?),
            DataType::LargeList(field) => DataType::LargeList(self.field(field)?),
            DataType::LargeListView(field) => DataType::LargeListView(self.field(field)?),
            DataType::FixedSizeList(field, size) => {
                DataType::FixedSizeList(self.field(field)?, *size)
            }
            DataType::Map(entries, is_sorted) => DataType::Map(self.entries(entries)?, *is_sorted),
            DataType::Dictionary(key, value) => DataType::Dictionary(
                Box::new(self.data_type(key)?),
                Box::new(self.data_type(value)?),
            ),
            DataType::RunEndEncoded(ends, values) => {
                DataType::RunEndEncoded(self.field(ends)?, self.field(values)?)
            }
            DataType::Union(fields, mode) => {
                let mut ids = Vec::with_capacity(fields.len());
                let mut variants = Vec::with_capacity(fields.len());
                for (id, field) in fields.iter() {
                    ids.push(id);
                    variants.push(self.field(field)?);
                }
                let fields =
                    UnionFields::try_new(ids, variants).map_err(|error| SchemaError::NotArrow {
                        message: error.to_string(),
                    })?;
                DataType::Union(fields, *mode)
            }
            leaf => leaf.clone(),
        })
    }

    /// A map's entries: the key comes first and the value second, whatever their names.
    fn entries(&mut self, entries: &FieldRef) -> Result<FieldRef, SchemaError> {
        let DataType::Struct(pair) = entries.data_type() else {
            return self.field(entries);
        };
        let pair = self.in_place(pair)?;
        let canonical = entries
            .as_ref()
            .clone()
            .with_data_type(DataType::Struct(pair.into()));
        Ok(Arc::new(canonical))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrap(data_type: &str) -> String {
        format!(
            r#"{{"fields":[{{"name":"f","data_type":{data_type},"nullable":true,"dict_id":0,"dict_is_ordered":false,"metadata":{{}}}}],"metadata":{{}}}}"#
        )
    }

    #[test]
    fn every_kind_of_bad_file_has_its_own_message() {
        let message = |bytes: &[u8]| Schema::parse(bytes).unwrap_err().to_string();
        assert_eq!(message(b""), "empty: no schema has been written yet");
        assert_eq!(message(b" \n"), "empty: no schema has been written yet");
        assert_eq!(message(b"{\"fields\":\n["), "truncated at line 2, column 1");
        assert_eq!(
            message(b"fields: []"),
            "not JSON: expected ident at line 1 column 2"
        );
        assert_eq!(
            message(b"{\"fields\":[]}"),
            "JSON, but no Arrow schema: missing field `metadata` at line 1 column 13"
        );
        assert_eq!(
            message(b"{\"fields\":[],\"metadata\":{}}{}"),
            "not JSON: trailing characters at line 1 column 28"
        );
        assert_eq!(
            message(b"\xEF\xBB\xBF{\"fields\":[],\"metadata\":{}}"),
            "starts with a byte order mark: save it as UTF-8 without one"
        );
        assert!(message(b"{\"fields\":[],\"metadata\":{\"\xff\":\"\"}}").starts_with("not JSON"));
        assert!(message(wrap("\"Utf9\"").as_bytes()).contains("unknown variant `Utf9`"));
    }

    #[test]
    fn fields_without_dictionary_keys_are_refused_as_the_node_does() {
        let error = Schema::parse(
            br#"{"fields":[{"name":"f","data_type":"Utf8","nullable":true}],"metadata":{}}"#,
        );
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("missing field `dict_id`")
        );
    }

    #[test]
    fn duplicate_names_are_refused_by_path() {
        let twice = wrap(
            r#"{"Struct":[
            {"name":"x","data_type":"Utf8","nullable":true,"dict_id":0,"dict_is_ordered":false,"metadata":{}},
            {"name":"x","data_type":"Int8","nullable":true,"dict_id":0,"dict_is_ordered":false,"metadata":{}}]}"#,
        );
        assert_eq!(
            Schema::parse(twice.as_bytes()).unwrap_err().to_string(),
            "field `f.x` is there twice"
        );
    }

    #[test]
    fn nesting_is_bounded_exactly_where_the_parser_would_stop() {
        let deep = |levels: usize| {
            format!(
                r#"{{"fields":[],"metadata":{{}},"other":{}{}}}"#,
                "[".repeat(levels - 1),
                "]".repeat(levels - 1)
            )
        };
        assert_eq!(
            Schema::parse(deep(MAX_DEPTH).as_bytes()),
            Ok(Schema::empty())
        );
        assert!(matches!(
            Schema::parse(deep(MAX_DEPTH + 1).as_bytes()),
            Err(SchemaError::TooDeep { .. })
        ));
        // Brackets in strings are no nesting.
        let text = format!(
            r#"{{"fields":[],"metadata":{{"k":"\"{}"}}}}"#,
            "[".repeat(500)
        );
        assert!(Schema::parse(text.as_bytes()).is_ok());
    }

    #[test]
    fn the_number_of_fields_is_bounded() {
        let fields = |count: usize| {
            let fields: Vec<_> = (0..count)
                .map(|n| Field::new(n.to_string(), DataType::Utf8, true))
                .collect();
            Schema::from_arrow(arrow_schema::Schema::new(fields))
        };
        assert!(fields(MAX_FIELDS).is_ok());
        assert_eq!(fields(MAX_FIELDS + 1), Err(SchemaError::TooManyFields));
    }

    #[test]
    fn a_maps_key_stays_first() {
        let entries = Field::new_struct(
            "entries",
            vec![
                Field::new("z_key", DataType::Utf8, false),
                Field::new("a_value", DataType::Int64, true),
            ],
            false,
        );
        let field = Field::new("m", DataType::Map(Arc::new(entries), false), true);
        let schema = arrow_schema::Schema::new(vec![field]);
        let canonical = Schema::from_arrow(schema.clone()).unwrap();
        assert_eq!(canonical.as_arrow(), &schema);
    }
}
