use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields};

use super::{Schema, SchemaError};

/// Why a field can't get another type.
#[derive(Debug, thiserror::Error)]
pub enum RetypeError {
    /// The schema has no such field.
    #[error("the schema has no field `{field}`; it has {known}")]
    NoField {
        /// The field that was asked for.
        field: String,
        /// The names of the schema's fields, as many as a message takes.
        known: String,
    },
    /// The schema would not be valid.
    #[error("the schema would not be valid")]
    Invalid(#[source] SchemaError),
}

/// How many of a schema's fields a message names.
const NAMED: usize = 20;

impl Schema {
    /// The same schema with another type for one field, and the type that it had. A field of a struct is named by its
    /// dotted path, as conflicts name it.
    ///
    /// # Errors
    ///
    /// The schema has no such field, or would not be valid.
    pub fn retype(
        &self,
        field: &str,
        data_type: &DataType,
    ) -> Result<(Self, DataType), RetypeError> {
        let arrow = self.as_arrow();
        let Some((fields, before)) = retyped(&arrow.fields, field, data_type) else {
            let names = arrow
                .fields
                .iter()
                .map(|field| format!("`{}`", super::visible(field.name())));
            let known: Vec<_> = names.take(NAMED).collect();
            return Err(RetypeError::NoField {
                field: super::visible(field),
                known: match known.is_empty() {
                    true => "none".to_owned(),
                    false => known.join(", "),
                },
            });
        };
        let changed = arrow_schema::Schema::new_with_metadata(fields, arrow.metadata.clone());
        let changed = Self::from_arrow(changed).map_err(RetypeError::Invalid)?;
        // What is written must be read again by the same rules as any other schema.
        let changed = Self::parse(&changed.to_json()).map_err(RetypeError::Invalid)?;
        Ok((changed, before))
    }
}

/// The fields with another type at the path. A name may hold dots itself, so whole names come first.
fn retyped(fields: &Fields, path: &str, data_type: &DataType) -> Option<(Fields, DataType)> {
    let whole = fields.iter().position(|field| field.name() == path);
    if let Some(at) = whole {
        let field = fields.get(at)?;
        let changed = Field::clone(field).with_data_type(data_type.clone());
        return Some((replaced(fields, at, changed), field.data_type().clone()));
    }
    fields.iter().enumerate().find_map(|(at, field)| {
        let rest = path
            .strip_prefix(field.name().as_str())?
            .strip_prefix('.')?;
        let DataType::Struct(inner) = field.data_type() else {
            return None;
        };
        let (inner, before) = retyped(inner, rest, data_type)?;
        let changed = Field::clone(field).with_data_type(DataType::Struct(inner));
        Some((replaced(fields, at, changed), before))
    })
}

fn replaced(fields: &Fields, at: usize, changed: Field) -> Fields {
    let changed: FieldRef = Arc::new(changed);
    let with = |(index, field): (usize, &FieldRef)| match index == at {
        true => Arc::clone(&changed),
        false => Arc::clone(field),
    };
    fields.iter().enumerate().map(with).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(json: &str) -> Schema {
        Schema::parse(json.as_bytes()).unwrap()
    }

    const NESTED: &str = r#"{"fields":[
        {"name":"a.b","data_type":"Utf8","nullable":true,"dict_id":0,"dict_is_ordered":false,"metadata":{"k":"v"}},
        {"name":"s","data_type":{"Struct":[
            {"name":"x","data_type":"Int64","nullable":false,"dict_id":0,"dict_is_ordered":false,"metadata":{}}
        ]},"nullable":true,"dict_id":0,"dict_is_ordered":false,"metadata":{}}
    ],"metadata":{}}"#;

    #[test]
    fn one_field_gets_another_type_and_all_else_stays() {
        let before = schema(NESTED);
        let (after, was) = before.retype("a.b", &DataType::Float64).unwrap();
        assert_eq!(was, DataType::Utf8);
        assert_eq!(after, schema(&NESTED.replace("Utf8", "Float64")));
        let (after, was) = before.retype("s.x", &DataType::Utf8).unwrap();
        assert_eq!(was, DataType::Int64);
        assert_eq!(after, schema(&NESTED.replace("Int64", "Utf8")));
    }

    #[test]
    fn a_field_that_does_not_exist_is_an_error_that_names_those_that_do() {
        for field in ["", "b", "s.y", "a.b.c", "s."] {
            let error = schema(NESTED).retype(field, &DataType::Utf8).unwrap_err();
            assert!(error.to_string().contains("`a.b`, `s`"), "{error}");
        }
    }
}
