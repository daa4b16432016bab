//! How two schemas differ, field by field, for people.

use std::cmp::Ordering;
use std::collections::HashMap;

use arrow_schema::Field;
use serde::Serialize;

use crate::schema::{Schema, shown};

/// The most fields that a finding lists, gained, lost and changed ones each.
pub const MAX_FIELDS_LISTED: usize = 100;

/// A field of a schema, with names and types of at most 200 characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FieldNote {
    /// The field.
    pub field: String,
    /// Its type, in Arrow's own words.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Whether it may be null.
    pub nullable: bool,
}

/// A field that reads otherwise than before; the names and texts have at most 200 characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Change {
    /// The field; empty for the schema's own metadata.
    pub field: String,
    /// What the ledger knows: the type, and what else differs.
    pub was: String,
    /// What stands there now.
    pub is: String,
}

/// All differences from one schema to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) lost: Vec<FieldNote>,
    pub(super) gained: Vec<FieldNote>,
    pub(super) changed: Vec<Change>,
    /// What the lists leave out.
    pub(super) omitted: usize,
}

impl Difference {
    pub(super) fn between(before: &Schema, after: &Schema) -> Self {
        let mut difference = Self::default();
        let (before, after) = (before.as_arrow(), after.as_arrow());
        if before.metadata() != after.metadata() {
            difference.change("", metadata(before.metadata()), metadata(after.metadata()));
        }
        // Both are in canonical order: sorted by name, each name once.
        let mut left = before.fields().iter().peekable();
        let mut right = after.fields().iter().peekable();
        loop {
            let order = match (left.peek(), right.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(was), Some(is)) => was.name().cmp(is.name()),
            };
            match (
                left.next_if(|_| order.is_le()),
                right.next_if(|_| order.is_ge()),
            ) {
                (Some(was), Some(is)) if in_words(was) != in_words(is) => {
                    difference.change(was.name(), in_words(was), in_words(is));
                }
                (Some(was), None) => keep(&mut difference.lost, note(was), &mut difference.omitted),
                (None, Some(is)) => keep(&mut difference.gained, note(is), &mut difference.omitted),
                (Some(_), Some(_)) | (None, None) => {}
            }
        }
        difference
    }

    fn change(&mut self, field: &str, was: String, is: String) {
        let change = Change {
            field: shown(field),
            was: shown(was),
            is: shown(is),
        };
        keep(&mut self.changed, change, &mut self.omitted);
    }
}

fn keep<T>(list: &mut Vec<T>, item: T, omitted: &mut usize) {
    if list.len() < MAX_FIELDS_LISTED {
        list.push(item);
    } else {
        *omitted += 1;
    }
}

fn note(field: &Field) -> FieldNote {
    FieldNote {
        field: shown(field.name()),
        data_type: shown(field.data_type()),
        nullable: field.is_nullable(),
    }
}

/// Everything about a field but its name.
fn in_words(field: &Field) -> String {
    let mut text = String::new();
    if field.dict_is_ordered() == Some(true) {
        text.push_str("ordered ");
    }
    text.push_str(&field.data_type().to_string());
    if !field.is_nullable() {
        text.push_str(" not null");
    }
    if !field.metadata().is_empty() {
        text.push_str(" with ");
        text.push_str(&metadata(field.metadata()));
    }
    text
}

fn metadata(entries: &HashMap<String, String>) -> String {
    let mut entries: Vec<_> = entries
        .iter()
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    entries.sort_unstable();
    match entries.is_empty() {
        true => "no metadata".to_owned(),
        false => format!("metadata {}", entries.join(", ")),
    }
}
