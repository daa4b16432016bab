//! Properties that hold for any schema and any bytes.

use std::sync::Arc;

use arrow_schema::{DataType, Field, TimeUnit, UnionFields, UnionMode};
use proptest::collection::{btree_map, hash_map};
use proptest::prelude::*;

use super::Schema;

const CAPTURED: &[u8] = include_bytes!(
    "../../../tests/data/parseable-2.9.5/staging/app/.ingestor.95659b0612138de.schema"
);

fn leaf() -> impl Strategy<Value = DataType> {
    prop_oneof![
        Just(DataType::Null),
        Just(DataType::Boolean),
        Just(DataType::Int64),
        Just(DataType::Utf8),
        Just(DataType::Timestamp(TimeUnit::Millisecond, None)),
        Just(DataType::Timestamp(
            TimeUnit::Nanosecond,
            Some("+02:00".into())
        )),
        Just(DataType::Decimal128(10, -2)),
        Just(DataType::Dictionary(
            Box::new(DataType::Int8),
            Box::new(DataType::Utf8)
        )),
    ]
}

/// Few names and types, so that two schemas often meet.
fn data_type() -> impl Strategy<Value = DataType> {
    leaf().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            3 => fields_of(inner.clone()).prop_map(|fields| DataType::Struct(fields.into())),
            2 => field("item", inner.clone()).prop_map(|item| DataType::List(Arc::new(item))),
            1 => (field("item", inner.clone()), 0..3).prop_map(|(item, size)| {
                DataType::FixedSizeList(Arc::new(item), size)
            }),
            1 => field("value", inner.clone()).prop_map(|value| {
                let key = Field::new("key", DataType::Utf8, false);
                DataType::Map(Arc::new(Field::new_struct("entries", vec![key, value], false)), false)
            }),
            1 => field("v", inner.clone()).prop_map(|value| {
                let fields = UnionFields::try_new([3], [value]).unwrap();
                DataType::Union(fields, UnionMode::Dense)
            }),
            1 => field("values", inner).prop_map(|values| {
                let ends = Field::new("run_ends", DataType::Int32, false);
                DataType::RunEndEncoded(Arc::new(ends), Arc::new(values))
            }),
        ]
    })
}

fn metadata() -> impl Strategy<Value = std::collections::HashMap<String, String>> {
    hash_map("[kl]", "[x]", 0..2)
}

fn field(
    name: &'static str,
    data_type: impl Strategy<Value = DataType>,
) -> impl Strategy<Value = Field> {
    (data_type, any::<bool>(), metadata()).prop_map(move |(data_type, nullable, metadata)| {
        Field::new(name, data_type, nullable).with_metadata(metadata)
    })
}

fn fields_of(data_type: impl Strategy<Value = DataType>) -> impl Strategy<Value = Vec<Field>> {
    let entry = (data_type, any::<bool>(), any::<bool>(), metadata());
    btree_map("[a-c]|ä \\.\"", entry, 0..4).prop_map(|fields| {
        fields
            .into_iter()
            .map(|(name, (data_type, nullable, ordered, metadata))| {
                Field::new(name, data_type, nullable)
                    .with_dict_is_ordered(ordered)
                    .with_metadata(metadata)
            })
            .collect()
    })
}

fn arrow() -> impl Strategy<Value = arrow_schema::Schema> {
    (fields_of(data_type()), metadata())
        .prop_map(|(fields, metadata)| arrow_schema::Schema::new(fields).with_metadata(metadata))
}

fn schema() -> impl Strategy<Value = Schema> {
    arrow().prop_map(|arrow| Schema::from_arrow(arrow).unwrap())
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(schema in schema()) {
        let json = schema.to_json();
        prop_assert_eq!(Schema::parse(&json), Ok(schema.clone()));
        // Byte for byte arrow-schema's own form, up to the order of metadata.
        let own: serde_json::Value = serde_json::to_value(schema.as_arrow()).unwrap();
        prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&json).unwrap(), own);
        prop_assert!(serde_json::from_slice::<arrow_schema_60::Schema>(&json).is_ok());
    }

    #[test]
    fn field_order_means_nothing(arrow in arrow(), turn in 0_usize..4) {
        let mut fields = arrow.fields.to_vec();
        let by = turn.min(fields.len());
        fields.rotate_left(by);
        let turned = arrow_schema::Schema::new_with_metadata(fields, arrow.metadata.clone());
        let (a, b) = (Schema::from_arrow(arrow).unwrap(), Schema::from_arrow(turned).unwrap());
        prop_assert_eq!(a.fingerprint(), b.fingerprint());
        prop_assert_eq!(a.to_json(), b.to_json());
        prop_assert_eq!(a, b);
    }

    #[test]
    fn fingerprints_tell_schemas_apart(a in schema(), b in schema()) {
        prop_assert_eq!(a == b, a.fingerprint() == b.fingerprint());
        prop_assert_eq!(a == b, a.covers(&b) && b.covers(&a));
        prop_assert_ne!(a.fingerprint(), 0);
    }

    #[test]
    fn a_merge_covers_both_and_is_the_same_either_way(a in schema(), b in schema()) {
        prop_assert_eq!(a.merge(&a), Ok(a.clone()));
        match (a.merge(&b), b.merge(&a)) {
            (Ok(ab), Ok(ba)) => {
                prop_assert_eq!(&ab, &ba);
                prop_assert!(ab.covers(&a) && ab.covers(&b));
                prop_assert_eq!(ab.merge(&b), Ok(ab.clone()));
                prop_assert_eq!(ab.subset_of_union(&[a, b]), Ok(()));
            }
            (Err(ours), Err(theirs)) => {
                prop_assert_eq!(&ours.field, &theirs.field);
                prop_assert_eq!(ours.ours, theirs.theirs);
                prop_assert!(!a.covers(&b));
            }
            (ab, ba) => prop_assert!(false, "{ab:?} one way and {ba:?} the other"),
        }
    }

    #[test]
    fn the_node_merges_as_we_do(a in schema(), b in schema()) {
        let node = arrow_schema::Schema::try_merge([a.as_arrow().clone(), b.as_arrow().clone()]);
        let has_union = format!("{a:?}{b:?}").contains("Union");
        match (a.merge(&b), node) {
            (Ok(ours), Ok(node)) => prop_assert_eq!(Ok(ours), Schema::from_arrow(node)),
            (Err(_), Err(_)) => {}
            // We are stricter with unions, whose merge depends on the order there.
            (ours, node) => prop_assert!(has_union, "{ours:?} here and {node:?} at the node"),
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
        let _ = Schema::parse(&bytes);
    }

    #[test]
    fn no_damage_makes_it_panic(
        at in 0..CAPTURED.len(),
        cut in 0..CAPTURED.len(),
        byte in any::<u8>(),
        patch in "[\\[\\]{}\",:a-zA-Z0-9]{0,12}",
    ) {
        let mut bytes = CAPTURED.to_vec();
        bytes[at] = byte;
        let _ = Schema::parse(&bytes);
        bytes.splice(cut..cut, patch.bytes());
        let _ = Schema::parse(&bytes);
        prop_assert!(Schema::parse(&CAPTURED[..cut]).is_err(), "a truncated file is no schema");
    }
}
