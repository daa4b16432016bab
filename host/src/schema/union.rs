use super::Schema;

impl Schema {
    /// The top-level fields of this schema that stand in the union of `known` as well, in the meaning of
    /// [`subset_of_union`](Self::subset_of_union); its own metadata is left out.
    pub fn intersect_union(&self, known: &[Self]) -> Self {
        let held = |field: &&arrow_schema::FieldRef| {
            let alone = arrow_schema::Schema::new(vec![(*field).clone()]);
            Self::from_arrow(alone).is_ok_and(|alone| alone.subset_of_union(known).is_ok())
        };
        let fields: Vec<_> = self
            .as_arrow()
            .fields
            .iter()
            .filter(held)
            .cloned()
            .collect();
        // A part of a schema within the bounds is within the bounds.
        Self::from_arrow(arrow_schema::Schema::new(fields)).unwrap_or_else(|_| Self::empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(fields: &str) -> Schema {
        let field = |text: &str| {
            let (name, kind) = text.split_once(':').unwrap();
            format!(
                r#"{{"name":"{name}","data_type":"{kind}","nullable":true,"dict_id":0,"dict_is_ordered":false,"metadata":{{}}}}"#
            )
        };
        let fields: Vec<_> = fields.split_whitespace().map(field).collect();
        Schema::parse(format!(r#"{{"fields":[{}],"metadata":{{}}}}"#, fields.join(",")).as_bytes())
            .unwrap()
    }

    #[test]
    fn only_fields_that_others_hold_with_the_same_type_stay() {
        let ours = schema("a:Utf8 b:Int64 c:Boolean");
        let known = [schema("a:Utf8"), schema("b:Float64 d:Utf8")];
        assert_eq!(ours.intersect_union(&known), schema("a:Utf8"));
        assert_eq!(ours.intersect_union(&[]), Schema::empty());
    }
}
