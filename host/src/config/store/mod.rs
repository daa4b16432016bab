//! `[store]`: from the file, from files of secrets, from a Parseable node's own environment, and from the environment
//! of the store's SDK.

mod options;
mod parseable;

use super::file::{self, File};
use super::problems::Found;
use super::reader::Reader;
use crate::storage::{Address, ConditionalWrites, SettingNames, StoreSettings};
use options::Options;
use parseable::Node;

/// The key that names the store, unless a variable of a node does.
const STORE_URL: &str = "store.url";

/// The environment variables that concern the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreEnvironment {
    /// The variables that are used. Their values may be secrets.
    pub used: Vec<String>,
    /// The variables that concern the store and are not used, each with the reason.
    pub unused: Vec<(String, String)>,
}

/// The store's settings. `None` if something is wrong, which `found` then has.
pub(super) fn settings(
    reader: &Reader<'_>,
    file: &File,
    env: &dyn Fn(&str) -> Option<String>,
    found: &Found,
) -> Option<(StoreSettings, StoreEnvironment)> {
    let store = &file.store;
    let defaults = StoreSettings::new("");
    let max_in_flight = found.keep(reader.at_least_one(
        &["store", "max_in_flight"],
        store.max_in_flight,
        defaults.max_in_flight,
    ));
    let requests_per_second = found.keep(reader.at_least_one(
        &["store", "requests_per_second"],
        store.requests_per_second,
        defaults.requests_per_second,
    ));
    let burst = found.keep(reader.at_least_one(&["store", "burst"], store.burst, defaults.burst));
    let timeout = file.sync.as_ref().and_then(|sync| sync.attempt_timeout);
    let request_timeout = found.keep(reader.positive(
        &["sync", "attempt_timeout"],
        timeout,
        defaults.request_timeout,
    ));
    let ca_file = found.keep(reader.ca_file(&["store", "ca_file"], store.ca_file.as_deref()));
    let place = place(reader, file, env, found);
    let Place {
        url,
        named_by,
        options,
        environment,
    } = place?;
    let is_parseable = named_by != STORE_URL;
    let mut names = match is_parseable && url.starts_with("s3://") {
        true => SettingNames::parseable(),
        false => SettingNames::default(),
    };
    if is_parseable {
        names.note_store(named_by);
    }
    for (option, place) in options.places {
        names.note(option, place);
    }
    Some((
        StoreSettings {
            url,
            options: options.values,
            option_files: options.files,
            names,
            ca_file: ca_file?,
            conditional_writes: match store.conditional_writes {
                Some(file::ConditionalWrites::BestEffort) => ConditionalWrites::BestEffort,
                Some(file::ConditionalWrites::Required) | None => ConditionalWrites::Required,
            },
            max_in_flight: max_in_flight?,
            requests_per_second: requests_per_second?,
            burst: burst?,
            request_timeout: request_timeout?,
        },
        environment,
    ))
}

/// Where the store is, and who may use it.
struct Place {
    url: String,
    /// [`STORE_URL`], or the variable of the node that names the store.
    named_by: &'static str,
    options: options::Values,
    environment: StoreEnvironment,
}

fn place(
    reader: &Reader<'_>,
    file: &File,
    env: &dyn Fn(&str) -> Option<String>,
    found: &Found,
) -> Option<Place> {
    let store = &file.store;
    let (key, node) = match (&store.url, store.from) {
        (Some(url), None) => ("url", Node::written(url)),
        (None, Some(file::StoreOrigin::Parseable)) => {
            let (node, problems) = parseable::node(env);
            for message in problems {
                found.keep::<()>(Err(reader.problem(&["store", "from"], message)));
            }
            ("from", node?)
        }
        (Some(_), Some(_)) => {
            let message = "`url` and `from` exclude each other: leave one out";
            return found.keep(Err(reader.problem(&["store", "from"], message)));
        }
        (None, None) => {
            let message = "missing key `url`: write where the store is, or `from = \"parseable\"`";
            return found.keep(Err(reader.problem(&["store"], message)));
        }
    };
    let address =
        Address::parse(&node.url).map_err(|error| reader.problem(&["store", key], error.in_full()));
    let address = found.keep(address)?;
    let (url, named_by) = (node.url.clone(), node.named_by);
    let mut options = Options::new(reader, &address, named_by, found);
    options.add_written(&store.options);
    options.add_files(&store.option_files);
    options.add_node(node);
    options.add_environment(env);
    if store.conditional_writes != Some(file::ConditionalWrites::BestEffort) {
        options.require_conditional_writes();
    }
    let (values, environment) = options.finish();
    Some(Place {
        url,
        named_by,
        options: values,
        environment,
    })
}
