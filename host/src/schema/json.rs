//! Writes arrow-schema's serde form with metadata in a fixed order: arrow-schema keeps metadata in a hash map and would
//! write it differently in every process.

use std::collections::{BTreeMap, HashMap};

use arrow_schema::{DataType, Field, Schema};
use serde::ser::SerializeTupleVariant;
use serde::{Serialize, Serializer};

pub(super) fn write(schema: &Schema) -> Vec<u8> {
    // Writing to memory cannot fail, and every key here is a string.
    serde_json::to_vec(&SchemaForm {
        fields: forms(schema.fields()),
        metadata: sorted(schema.metadata()),
    })
    .unwrap_or_default()
}

#[derive(Serialize)]
struct SchemaForm<'a> {
    fields: Vec<FieldForm<'a>>,
    metadata: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct FieldForm<'a> {
    name: &'a str,
    data_type: TypeForm<'a>,
    nullable: bool,
    dict_id: i64,
    dict_is_ordered: bool,
    metadata: BTreeMap<&'a str, &'a str>,
}

impl<'a> From<&'a Field> for FieldForm<'a> {
    fn from(field: &'a Field) -> Self {
        Self {
            name: field.name(),
            data_type: TypeForm(field.data_type()),
            nullable: field.is_nullable(),
            dict_id: 0,
            dict_is_ordered: field.dict_is_ordered().unwrap_or(false),
            metadata: sorted(field.metadata()),
        }
    }
}

fn forms<'a>(fields: impl IntoIterator<Item = &'a arrow_schema::FieldRef>) -> Vec<FieldForm<'a>> {
    fields
        .into_iter()
        .map(|field| FieldForm::from(field.as_ref()))
        .collect()
}

fn sorted(metadata: &HashMap<String, String>) -> BTreeMap<&str, &str> {
    metadata
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect()
}

/// A type: those that hold fields are written here, all others by arrow-schema.
struct TypeForm<'a>(&'a DataType);

const ENUM: &str = "DataType";
/// A variant's index, which JSON has no use for.
const INDEX: u32 = 0;

impl Serialize for TypeForm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let one = |serializer: S, name, field: &Field| {
            serializer.serialize_newtype_variant(ENUM, INDEX, name, &FieldForm::from(field))
        };
        match self.0 {
            DataType::Struct(fields) => {
                serializer.serialize_newtype_variant(ENUM, INDEX, "Struct", &forms(fields))
            }
            DataType::List(field) => one(serializer, "List", field),
            DataType::ListView(field) => one(serializer, "ListView", field),
            DataType::LargeList(field) => one(serializer, "LargeList", field),
            DataType::LargeListView(field) => one(serializer, "LargeListView", field),
            DataType::FixedSizeList(field, size) => pair(
                serializer,
                "FixedSizeList",
                &FieldForm::from(field.as_ref()),
                size,
            ),
            DataType::Map(field, is_sorted) => pair(
                serializer,
                "Map",
                &FieldForm::from(field.as_ref()),
                is_sorted,
            ),
            DataType::Dictionary(key, value) => pair(
                serializer,
                "Dictionary",
                &TypeForm(key.as_ref()),
                &TypeForm(value.as_ref()),
            ),
            DataType::RunEndEncoded(ends, values) => pair(
                serializer,
                "RunEndEncoded",
                &FieldForm::from(ends.as_ref()),
                &FieldForm::from(values.as_ref()),
            ),
            DataType::Union(fields, mode) => {
                let variants: Vec<_> = fields
                    .iter()
                    .map(|(id, field)| (id, FieldForm::from(field.as_ref())))
                    .collect();
                pair(serializer, "Union", &variants, mode)
            }
            leaf => leaf.serialize(serializer),
        }
    }
}

fn pair<S: Serializer>(
    serializer: S,
    name: &'static str,
    first: &impl Serialize,
    second: &impl Serialize,
) -> Result<S::Ok, S::Error> {
    let mut variant = serializer.serialize_tuple_variant(ENUM, INDEX, name, 2)?;
    variant.serialize_field(first)?;
    variant.serialize_field(second)?;
    variant.end()
}
