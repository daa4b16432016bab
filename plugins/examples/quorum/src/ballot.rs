//! Nodes vote for the types of fields by the schemas that they published.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The votes, by field and type.
#[derive(Debug, Default)]
pub(crate) struct Ballot {
    voters: u32,
    fields: BTreeMap<String, Vec<Candidate>>,
}

/// A type that a field may have.
#[derive(Debug)]
struct Candidate {
    data_type: Value,
    votes: u32,
}

/// A schema in the JSON form of arrow-schema, as far as a vote needs it.
#[derive(Deserialize)]
struct Schema {
    fields: Vec<Field>,
}

#[derive(Deserialize)]
struct Field {
    name: String,
    data_type: Value,
}

/// What a vote came to.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    /// The types that were voted for, by field.
    pub(crate) elected: BTreeMap<String, Value>,
    /// The fields without such a type, and what they have instead.
    pub(crate) disputed: Vec<(String, String)>,
}

impl Ballot {
    /// How many nodes have voted.
    pub(crate) fn voters(&self) -> u32 {
        self.voters
    }

    /// Counts a node's schema.
    pub(crate) fn cast(&mut self, schema: &[u8]) -> Result<(), serde_json::Error> {
        let schema: Schema = serde_json::from_slice(schema)?;
        self.voters += 1;
        for Field { name, data_type } in schema.fields {
            let candidates = self.fields.entry(name).or_default();
            match candidates
                .iter_mut()
                .find(|candidate| candidate.data_type == data_type)
            {
                Some(candidate) => candidate.votes += 1,
                None => candidates.push(Candidate {
                    data_type,
                    votes: 1,
                }),
            }
        }
        Ok(())
    }

    /// Elects for each field the type that more than this share of its votes are for.
    pub(crate) fn count(self, share: f64) -> Outcome {
        let mut outcome = Outcome {
            elected: BTreeMap::new(),
            disputed: Vec::new(),
        };
        for (field, candidates) in self.fields {
            let votes: u32 = candidates.iter().map(|candidate| candidate.votes).sum();
            let needed = share * f64::from(votes);
            match candidates
                .iter()
                .find(|candidate| f64::from(candidate.votes) > needed)
            {
                Some(winner) => _ = outcome.elected.insert(field, winner.data_type.clone()),
                None => {
                    let types = candidates
                        .iter()
                        .map(|candidate| format!("{} for {}", candidate.votes, candidate.data_type))
                        .collect::<Vec<_>>();
                    outcome.disputed.push((field, types.join(", ")));
                }
            }
        }
        outcome
    }
}

impl Outcome {
    /// The schema of the elected fields. All of them are nullable: a node may lack a field that others have.
    pub(crate) fn document(&self) -> String {
        let field = |(name, data_type): (&String, &Value)| {
            json!({
                "name": name,
                "data_type": data_type,
                "nullable": true,
                "dict_id": 0,
                "dict_is_ordered": false,
                "metadata": Map::new(),
            })
        };
        let fields: Vec<Value> = self.elected.iter().map(field).collect();
        json!({ "fields": fields, "metadata": Map::new() }).to_string()
    }
}
