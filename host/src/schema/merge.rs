//! One schema that serves the readers of two, or the place where that is impossible.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields};

use super::{MAX_FIELDS, Schema, visible};
use crate::text::counted;

/// How much of a type's text a conflict shows, in characters: a struct's can be as long as the file.
const MAX_TEXT: usize = 200;

/// Why two schemas can't be merged: the first place where they clash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Conflict {
    /// The field's dotted path, list elements as `[]`; empty where the schemas as a whole clash.
    pub field: String,
    /// What the schema that was asked to merge has there: a type, or a metadata entry.
    pub ours: String,
    /// What the other schema has there.
    pub theirs: String,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => write!(f, "schema: {} against {}", self.ours, self.theirs),
            field => write!(f, "field `{field}`: {} against {}", self.ours, self.theirs),
        }
    }
}

/// A proposed schema holds something that none of the known ones has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is in none of the known schemas with that type")]
pub struct Stray {
    /// The field or metadata entry, with its name.
    pub what: String,
}

impl Schema {
    /// The schema that covers both, in the meaning of [`covers`](Self::covers).
    ///
    /// It is what Parseable's own start-up merge (`arrow_schema::Schema::try_merge`) makes of the two, whatever their
    /// order: fields are matched by name; structs and the elements of lists and large lists are merged in turn; a
    /// field is nullable where either is; metadata is united; the type `Null`, which says that no value was seen yet,
    /// gives way to the other type, nullable, unless that is an ordered dictionary. Any other difference of type is a
    /// conflict, never a wider type, and no field is ever left out. Unlike there, unions and lists whose elements are
    /// named differently must be equal: what arrow-schema makes of them depends on the order.
    ///
    /// # Errors
    ///
    /// The first conflict: two types, a metadata key with two values, or more than [`MAX_FIELDS`] fields together.
    pub fn merge(&self, other: &Self) -> Result<Self, Conflict> {
        if self.is_shared(other) {
            return Ok(self.clone());
        }
        let mut merge = Merge::default();
        let (ours, theirs) = (self.as_arrow(), other.as_arrow());
        let metadata = merge.metadata(&ours.metadata, &theirs.metadata)?;
        let fields = merge.fields(&ours.fields, &theirs.fields)?;
        if metadata.is_none() && fields.is_none() {
            return Ok(self.clone());
        }
        let merged = arrow_schema::Schema::new_with_metadata(
            fields.unwrap_or_else(|| ours.fields.clone()),
            metadata.unwrap_or_else(|| ours.metadata.clone()),
        );
        if merged.flattened_fields().len() > MAX_FIELDS {
            return Err(Conflict {
                field: String::new(),
                ours: counted(ours.fields.len(), "field"),
                theirs: format!(
                    "{}, more than {MAX_FIELDS} together",
                    counted(theirs.fields.len(), "field")
                ),
            });
        }
        Ok(Self::canonical(merged))
    }

    /// Whether whoever can read `self` can read all that `other` describes: merging `other` into it changes nothing.
    ///
    /// So every field of `other` is in `self` with the same type, structs and lists field by field, nullable if it is
    /// there, with at least the same metadata. Order doesn't matter.
    pub fn covers(&self, other: &Self) -> bool {
        if self.is_shared(other) {
            return true;
        }
        let mut merge = Merge::default();
        let (ours, theirs) = (self.as_arrow(), other.as_arrow());
        matches!(merge.metadata(&ours.metadata, &theirs.metadata), Ok(None))
            && matches!(merge.fields(&ours.fields, &theirs.fields), Ok(None))
    }

    /// Whether everything in this schema stands in the union of `known` already, so that publishing it brings the
    /// stream nothing new. The empty schema always does.
    ///
    /// The known schemas need not agree among themselves: a field is judged against each type that it has in them.
    ///
    /// # Errors
    ///
    /// The first field or metadata entry that stands in none of them.
    pub fn subset_of_union(&self, known: &[Self]) -> Result<(), Stray> {
        for (key, value) in &self.as_arrow().metadata {
            if !known
                .iter()
                .any(|schema| schema.as_arrow().metadata.get(key) == Some(value))
            {
                return Err(Stray {
                    what: format!("metadata `{}`", visible(key)),
                });
            }
        }
        for field in &self.as_arrow().fields {
            // The types that the field has in the known schemas; those that can be merged count as one.
            let mut variants: Vec<FieldRef> = Vec::new();
            for found in known.iter().filter_map(|schema| schema.find(field.name())) {
                let merged = variants.iter_mut().find_map(|variant| {
                    let wider = Merge::default().field(variant, found).ok()?;
                    *variant = wider.unwrap_or_else(|| Arc::clone(variant));
                    Some(())
                });
                if merged.is_none() {
                    variants.push(Arc::clone(found));
                }
            }
            let stands = |variant| matches!(Merge::default().field(variant, field), Ok(None));
            if !variants.iter().any(stands) {
                return Err(Stray {
                    what: format!(
                        "field `{}` ({})",
                        visible(field.name()),
                        shown(field.data_type())
                    ),
                });
            }
        }
        Ok(())
    }

    /// The top-level field of this name. Canonical order makes it a binary search.
    fn find(&self, name: &str) -> Option<&FieldRef> {
        let fields = &self.as_arrow().fields;
        let at = fields.binary_search_by(|field| field.name().as_str().cmp(name));
        at.ok().and_then(|at| fields.get(at))
    }
}

/// Whether the field is a dictionary whose order means something.
fn is_ordered(field: &Field) -> bool {
    field.dict_is_ordered().unwrap_or(false)
}

/// A merge under way. Every step answers `None` where ours stays as it is, which makes "covers" the same code.
#[derive(Default)]
struct Merge {
    path: Vec<String>,
}

impl Merge {
    /// Both sides are sorted by name and hold each name once.
    fn fields(&mut self, ours: &Fields, theirs: &Fields) -> Result<Option<Fields>, Conflict> {
        let (mut left, mut right) = (ours.iter().peekable(), theirs.iter().peekable());
        let mut merged = Vec::with_capacity(ours.len().max(theirs.len()));
        let mut changed = false;
        loop {
            let order = match (left.peek(), right.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.name().cmp(b.name()),
            };
            let a = left.next_if(|_| order.is_le());
            let b = right.next_if(|_| order.is_ge());
            match (a, b) {
                (Some(a), Some(b)) => {
                    let wider = self.field(a, b)?;
                    changed |= wider.is_some();
                    merged.push(wider.unwrap_or_else(|| Arc::clone(a)));
                }
                (Some(a), None) => merged.push(Arc::clone(a)),
                (None, Some(b)) => {
                    changed = true;
                    merged.push(Arc::clone(b));
                }
                (None, None) => break,
            }
        }
        Ok(changed.then(|| merged.into()))
    }

    fn field(&mut self, ours: &FieldRef, theirs: &FieldRef) -> Result<Option<FieldRef>, Conflict> {
        self.at(ours.name(), ours, theirs)
    }

    /// Merges two fields of which people think as being at `step`.
    fn at(
        &mut self,
        step: &str,
        ours: &FieldRef,
        theirs: &FieldRef,
    ) -> Result<Option<FieldRef>, Conflict> {
        if Arc::ptr_eq(ours, theirs) {
            return Ok(None);
        }
        self.path.push(step.to_owned());
        let metadata = self.metadata(ours.metadata(), theirs.metadata())?;
        let data_type = self.data_type(ours, theirs)?;
        self.path.pop();
        let either_null =
            *ours.data_type() == DataType::Null || *theirs.data_type() == DataType::Null;
        let nullable = ours.is_nullable() || theirs.is_nullable() || either_null;
        if metadata.is_none() && data_type.is_none() && nullable == ours.is_nullable() {
            return Ok(None);
        }
        let merged = Field::new(
            ours.name(),
            data_type.unwrap_or_else(|| ours.data_type().clone()),
            nullable,
        )
        .with_dict_is_ordered(is_ordered(ours))
        .with_metadata(metadata.unwrap_or_else(|| ours.metadata().clone()));
        Ok(Some(Arc::new(merged)))
    }

    fn data_type(&mut self, ours: &Field, theirs: &Field) -> Result<Option<DataType>, Conflict> {
        match (ours.data_type(), theirs.data_type()) {
            (a, b) if is_ordered(ours) != is_ordered(theirs) => {
                Err(self.conflict(typed(a, ours), typed(b, theirs)))
            }
            (DataType::Null, DataType::Null) | (_, DataType::Null) => Ok(None),
            (DataType::Null, theirs) => Ok(Some(theirs.clone())),
            (DataType::Struct(a), DataType::Struct(b)) => {
                Ok(self.fields(a, b)?.map(DataType::Struct))
            }
            (DataType::List(a), DataType::List(b)) if a.name() == b.name() => {
                Ok(self.at("[]", a, b)?.map(DataType::List))
            }
            (DataType::LargeList(a), DataType::LargeList(b)) if a.name() == b.name() => {
                Ok(self.at("[]", a, b)?.map(DataType::LargeList))
            }
            (a, b) if a == b => Ok(None),
            (a, b) => Err(self.conflict(typed(a, ours), typed(b, theirs))),
        }
    }

    fn metadata(
        &self,
        ours: &HashMap<String, String>,
        theirs: &HashMap<String, String>,
    ) -> Result<Option<HashMap<String, String>>, Conflict> {
        // Sorted, so that of several clashes the same one is always named.
        let mut new: Vec<_> = theirs
            .iter()
            .filter(|(key, value)| ours.get(*key) != Some(value))
            .collect();
        new.sort_unstable();
        for (key, value) in &new {
            if let Some(old) = ours.get(*key) {
                let text = |value: &str| shown(format_args!("metadata {key} = {value}"));
                return Err(self.conflict(text(old), text(value)));
            }
        }
        Ok((!new.is_empty()).then(|| {
            let new = new
                .into_iter()
                .map(|(key, value)| (key.clone(), value.clone()));
            ours.clone().into_iter().chain(new).collect()
        }))
    }

    fn conflict(&self, ours: String, theirs: String) -> Conflict {
        let path = self.path.join(".").replace(".[]", "[]");
        Conflict {
            field: visible(&path),
            ours,
            theirs,
        }
    }
}

fn typed(data_type: &DataType, field: &Field) -> String {
    match field.dict_is_ordered() {
        Some(true) => shown(format_args!("ordered {data_type}")),
        _ => shown(data_type),
    }
}

/// A text of bounded length without control characters.
pub(crate) fn shown(text: impl fmt::Display) -> String {
    let text = text.to_string();
    let mut short = visible(&text.chars().take(MAX_TEXT).collect::<String>());
    if text.chars().nth(MAX_TEXT).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(fields: impl IntoIterator<Item = Field>) -> Schema {
        let fields: Vec<_> = fields.into_iter().collect();
        Schema::from_arrow(arrow_schema::Schema::new(fields)).unwrap()
    }

    fn utf8(name: &str) -> Field {
        Field::new(name, DataType::Utf8, true)
    }

    fn int(name: &str) -> Field {
        Field::new(name, DataType::Int64, true)
    }

    fn noted(field: Field, value: &str) -> Field {
        field.with_metadata([("note".to_owned(), value.to_owned())].into())
    }

    #[test]
    fn a_merge_keeps_every_field_of_both() {
        let (a, b) = (
            schema([utf8("host"), int("status")]),
            schema([utf8("host"), utf8("app")]),
        );
        let both = schema([utf8("app"), utf8("host"), int("status")]);
        assert_eq!(a.merge(&b), Ok(both.clone()));
        assert_eq!(b.merge(&a), Ok(both.clone()));
        assert!(both.covers(&a) && both.covers(&b));
        assert!(!a.covers(&b) && !b.covers(&a) && !a.covers(&both));
    }

    #[test]
    fn types_are_never_widened_and_the_place_is_named() {
        let (a, b) = (schema([int("status")]), schema([utf8("status")]));
        let conflict = a.merge(&b).unwrap_err();
        assert_eq!(conflict.to_string(), "field `status`: Int64 against Utf8");
        assert!(!a.covers(&b));
        let narrow = schema([Field::new("status", DataType::Int32, true)]);
        assert!(a.merge(&narrow).is_err(), "not even to a wider integer");
    }

    #[test]
    fn conflicts_inside_structs_and_lists_have_a_path() {
        let nested = |leaf: Field| {
            let list = Field::new_list("tags", Field::new_struct("item", vec![leaf], true), true);
            schema([Field::new_struct("http", vec![list], true)])
        };
        let conflict = nested(int("code")).merge(&nested(utf8("code")));
        assert_eq!(conflict.unwrap_err().field, "http.tags[].code");
        let merged = nested(int("a")).merge(&nested(int("b"))).unwrap();
        assert!(merged.covers(&nested(int("a"))) && merged.covers(&nested(int("b"))));
    }

    #[test]
    fn nullable_covers_required_and_not_the_reverse() {
        let optional = schema([utf8("f")]);
        let required = schema([Field::new("f", DataType::Utf8, false)]);
        assert!(optional.covers(&required));
        assert!(!required.covers(&optional));
        assert_eq!(required.merge(&optional), Ok(optional));
    }

    #[test]
    fn the_null_type_gives_way() {
        let unseen = schema([Field::new("f", DataType::Null, true)]);
        let required = schema([Field::new("f", DataType::Utf8, false)]);
        assert_eq!(unseen.merge(&required), Ok(schema([utf8("f")])));
        assert_eq!(required.merge(&unseen), Ok(schema([utf8("f")])));
        assert!(schema([utf8("f")]).covers(&unseen));
        assert!(!unseen.covers(&required));
    }

    #[test]
    fn metadata_is_united_unless_it_clashes() {
        let (plain, one, two) = (
            schema([utf8("f")]),
            schema([noted(utf8("f"), "1")]),
            schema([noted(utf8("f"), "2")]),
        );
        assert_eq!(plain.merge(&one), Ok(one.clone()));
        assert!(one.covers(&plain) && !plain.covers(&one));
        assert_eq!(
            one.merge(&two).unwrap_err().to_string(),
            "field `f`: metadata note = 1 against metadata note = 2"
        );
        let tagged = |value: &str| {
            let schema = arrow_schema::Schema::empty();
            Schema::from_arrow(schema.with_metadata([("k".to_owned(), value.to_owned())].into()))
        };
        let conflict = tagged("1").unwrap().merge(&tagged("2").unwrap());
        assert!(
            conflict
                .unwrap_err()
                .to_string()
                .starts_with("schema: metadata")
        );
    }

    #[test]
    fn dictionaries_of_different_order_clash_and_differ() {
        let field = |ordered| {
            let key = Box::new(DataType::Int8);
            let data_type = DataType::Dictionary(key, Box::new(DataType::Utf8));
            schema([Field::new("d", data_type, true).with_dict_is_ordered(ordered)])
        };
        assert_ne!(field(true), field(false));
        assert_eq!(
            field(true).merge(&field(false)).unwrap_err().to_string(),
            "field `d`: ordered Dictionary(Int8, Utf8) against Dictionary(Int8, Utf8)"
        );
        // The node's own merge refuses that too: its fields have an order even without a type.
        let unseen = schema([Field::new("d", DataType::Null, true)]);
        assert!(unseen.merge(&field(false)).is_ok());
        assert!(unseen.merge(&field(true)).is_err() && field(true).merge(&unseen).is_err());
    }

    #[test]
    fn names_from_files_cannot_forge_output() {
        let conflict = schema([int("a\n\u{1b}[31m")]).merge(&schema([utf8("a\n\u{1b}[31m")]));
        assert_eq!(conflict.unwrap_err().field, r"a\n\u{1b}[31m");
    }

    #[test]
    fn merged_schemas_stay_within_what_can_be_parsed() {
        let half =
            |from: usize| schema((from..from + MAX_FIELDS / 2 + 1).map(|n| int(&n.to_string())));
        let conflict = half(0).merge(&half(MAX_FIELDS)).unwrap_err();
        assert!(conflict.to_string().contains("more than 100000 together"));
    }

    #[test]
    fn metadata_of_a_fallback_must_stand_in_a_known_schema_too() {
        let tagged = |value: &str| {
            let tags = [("k".to_owned(), value.to_owned())].into();
            Schema::from_arrow(arrow_schema::Schema::empty().with_metadata(tags)).unwrap()
        };
        let known = [Schema::empty(), tagged("1")];
        assert_eq!(tagged("1").subset_of_union(&known), Ok(()));
        let stray = tagged("2").subset_of_union(&known).unwrap_err();
        assert_eq!(stray.what, "metadata `k`");
    }

    #[test]
    fn a_fallback_must_stand_in_the_union_of_the_known() {
        let part = |leaf: Field| schema([Field::new_struct("s", vec![leaf], true)]);
        let known = [
            part(int("a")),
            part(int("b")),
            schema([utf8("x")]),
            schema([int("x")]),
        ];
        let merged = known[0].merge(&known[1]).unwrap();
        assert_eq!(
            merged.subset_of_union(&known),
            Ok(()),
            "though no single one covers it"
        );
        assert_eq!(
            known[2].subset_of_union(&known),
            Ok(()),
            "though the known ones disagree"
        );
        assert_eq!(Schema::empty().subset_of_union(&[]), Ok(()));
        assert_eq!(
            part(int("c"))
                .subset_of_union(&known)
                .unwrap_err()
                .to_string()
                .split(" (")
                .next(),
            Some("field `s`")
        );
        assert_eq!(
            schema([Field::new("x", DataType::Boolean, true)])
                .subset_of_union(&known)
                .unwrap_err()
                .to_string(),
            "field `x` (Boolean) is in none of the known schemas with that type"
        );
    }
}
