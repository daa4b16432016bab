//! `quorum`, a fallback policy: publishes the fields on whose types most of the stream's other nodes agree.
//!
//! The bundled `ladder` publishes the merge of all peers, and nothing as long as two of them have one field with two
//! types. This policy lets them vote: a field is published with the type that more than `share` of the nodes that have
//! it hold, and left out where there is no such type.
//!
//! # What it answers
//!
//! - `abstain` where fewer than `min-nodes` have published a schema: that is no vote.
//! - `skip` while the store fails, or an object can't be read: a vote that was counted by half may come out wrong.
//! - else the document with the fields that were voted for. Each field that was left out is logged.
//!
//! # Grants
//!
//! `read` on the stream's peers prefix (`{root}/.stream/` in the parseable layout). It makes one listing and one read
//! for each node, so `limits.host_calls` must allow for as many.

mod ballot;
mod settings;

use tidegate_policy::{Choice, Facts, Fallback, Host, Level, ReadError, Result};

use ballot::Ballot;
pub use settings::Quorum;

impl Fallback for Quorum {
    fn choose(&self, facts: &Facts, _: &str, host: &impl Host) -> Result<Choice> {
        match self.vote(facts, host) {
            Ok(choice) => Ok(choice),
            Err(error) => Ok(Choice::Skip(format!("the vote was not counted: {error}"))),
        }
    }
}

impl Quorum {
    fn vote(&self, facts: &Facts, host: &impl Host) -> Result<Choice, ReadError> {
        let mut ballot = Ballot::default();
        for object in host.objects(&facts.peers_prefix) {
            let object = object?;
            if !is_a_peers(&object.key, &facts.schema_key) {
                continue;
            }
            if ballot.voters() == self.max_nodes {
                let limit = self.max_nodes;
                let message = format!("more than {limit} nodes: the others have no vote");
                host.log(Level::Warn, &message);
                break;
            }
            let schema = host.read(&object.key)?;
            if let Err(error) = ballot.cast(&schema) {
                let message = format!("`{}` has no vote: {error}", object.key);
                host.log(Level::Warn, &message);
            }
        }
        if ballot.voters() < self.min_nodes {
            return Ok(Choice::Abstain);
        }
        let outcome = ballot.count(self.share);
        for (field, types) in &outcome.disputed {
            let message = format!("field `{field}` is left out: {types}");
            host.log(Level::Warn, &message);
        }
        Ok(Choice::Document(outcome.document()))
    }
}

/// Whether an object under the peers prefix is another node's schema: its name ends as this node's own does, from
/// `.schema` on.
fn is_a_peers(key: &str, own: &str) -> bool {
    let suffix = own.rfind(".schema").map_or("", |at| &own[at..]);
    key != own && !suffix.is_empty() && key.ends_with(suffix)
}

tidegate_policy::export!(Quorum: Fallback);

#[cfg(test)]
mod tests;
