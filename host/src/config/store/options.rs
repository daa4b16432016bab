//! The options of a store, from all the places that may give them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::STORE_URL;
use super::StoreEnvironment;
use super::parseable::Node;
use crate::config::file::OptionValue;
use crate::config::problems::Found;
use crate::config::reader::Reader;
use crate::config::source::Problem;
use crate::storage::{
    Address, Family, Kind, exclude, find, read_secret, relations, settle, settled_by, suggestion,
    variable_of,
};

/// Options that give a key of Google's as JSON, or name a file with one.
const KEY_FILES: [&str; 3] = [
    "service_account_key",
    "service_account",
    "application_credentials",
];

/// Where object_store finds the address of a server in such a key.
const SERVER_IN_KEY: &str = "gcs_base_url";

/// The options of a store under their own names, whatever names they were given by.
pub(super) struct Values {
    pub(super) values: BTreeMap<String, String>,
    pub(super) files: BTreeMap<String, PathBuf>,
    /// Where each value came from, by the option's own name, for messages.
    pub(super) places: Vec<(&'static str, String)>,
}

/// Options that are being collected.
pub(super) struct Options<'a> {
    reader: &'a Reader<'a>,
    address: &'a Address,
    /// What names the store: [`STORE_URL`], or a variable of the node.
    named_by: &'a str,
    found: &'a Found,
    given: BTreeMap<&'static str, Given>,
    environment: StoreEnvironment,
}

/// An option that was given.
struct Given {
    value: String,
    /// Whether the value was refused, or can't be read.
    is_refused: bool,
    by: By,
}

/// Where an option came from.
enum By {
    /// `[store.options]`, under this key.
    Option(String),
    /// The file that `[store.option_files]` names under this key.
    File(String, PathBuf),
    /// A variable of the node.
    Node(String),
    /// A variable of the environment.
    Environment(String),
}

impl By {
    /// A problem with the option, at the place that it came from.
    fn problem(&self, reader: &Reader<'_>, what: &str) -> Problem {
        match self {
            By::Option(key) => {
                reader.problem(&["store", "options", key], format!("`{key}` {what}"))
            }
            By::File(key, path) => reader.problem(
                &["store", "option_files", key],
                format!("`{key}` from the file {} {what}", path.display()),
            ),
            By::Node(variable) => reader.problem(
                &["store", "from"],
                format!("the node's variable {variable} {what}"),
            ),
            By::Environment(variable) => reader.problem(
                &["store"],
                format!("the environment variable {variable} {what}"),
            ),
        }
    }

    /// The key or variable, for messages.
    fn name(&self) -> String {
        match self {
            By::Option(key) | By::File(key, _) => format!("`{key}`"),
            By::Node(variable) | By::Environment(variable) => variable.clone(),
        }
    }

    /// The place, for messages.
    fn place(&self) -> String {
        match self {
            By::Option(key) => format!("store.options.{key}"),
            By::File(key, _) => format!("store.option_files.{key}"),
            By::Node(variable) | By::Environment(variable) => variable.clone(),
        }
    }
}

impl<'a> Options<'a> {
    pub(super) fn new(
        reader: &'a Reader<'a>,
        address: &'a Address,
        named_by: &'a str,
        found: &'a Found,
    ) -> Self {
        Self {
            reader,
            address,
            named_by,
            found,
            given: BTreeMap::new(),
            environment: StoreEnvironment::default(),
        }
    }

    /// Adds `[store.options]`.
    pub(super) fn add_written(&mut self, options: &BTreeMap<String, OptionValue>) {
        for (key, value) in options {
            let mut value = value.to_string();
            let spec = find(self.address.family, key);
            // Like all paths in the file, it starts from the file's directory.
            if spec.is_some_and(|spec| spec.kind.is_path()) && !value.is_empty() {
                value = self.reader.path(Path::new(&value)).display().to_string();
            }
            self.give(key, value, By::Option(key.clone()));
        }
    }

    /// Adds what the files of `[store.option_files]` hold.
    pub(super) fn add_files(&mut self, files: &BTreeMap<String, PathBuf>) {
        for (key, path) in files {
            let by = By::File(key.clone(), self.reader.path(path));
            let place = ["store", "option_files", key];
            let value = self.reader.written_path(&place, path).and_then(|file| {
                read_secret(&file).map_err(|error| {
                    let message = format!("can't read {}: {error}", path.display());
                    self.reader.problem(&place, message)
                })
            });
            match value {
                Ok(value) => self.give(key, value, by),
                Err(problem) => {
                    self.refuse(problem);
                    // It is written, and no option that needs it lacks it.
                    self.insert(key, String::new(), true, by);
                }
            }
        }
    }

    /// Adds what a node's variables say, except for what the file says otherwise.
    pub(super) fn add_node(&mut self, node: Node) {
        self.environment.used.extend(node.used);
        self.environment.unused.extend(node.unused);
        let mut settled: Vec<String> = Vec::new();
        for (variable, option, value) in node.options {
            if settled.contains(&variable) {
                continue;
            }
            let is_first = !self.environment.used.contains(&variable);
            let family = self.address.family;
            let written = self
                .given
                .iter()
                .find(|(name, given)| {
                    (**name == option || exclude(family, name, option))
                        && !matches!(given.by, By::Node(_))
                })
                .map(|(_, given)| settled_by_place(&given.by));
            match written {
                // The first option of a variable is what it is about; the others follow from it.
                Some(reason) if is_first => {
                    self.environment.unused.push((variable.clone(), reason));
                    settled.push(variable);
                }
                Some(_) => {}
                None => {
                    if is_first {
                        self.environment.used.push(variable.clone());
                    }
                    self.give(option, value, By::Node(variable));
                }
            }
        }
    }

    /// Adds variables of the environment for options that are not settled yet.
    pub(super) fn add_environment(&mut self, env: &dyn Fn(&str) -> Option<String>) {
        let written = self
            .given
            .iter()
            .map(|(name, given)| (*name, given.by.place()))
            .collect();
        let layer = settle(self.address, self.named_by, &written, env);
        for (variable, by) in layer.unused {
            let reason = format!("settled by {by}");
            self.environment.unused.push((variable, reason));
        }
        for variable in layer.used {
            self.environment.used.push(variable.name.clone());
            let by = By::Environment(variable.name);
            match variable.option {
                Some(option) => self.give(option, variable.value, by),
                None => {
                    if let Err(bad) = variable.kind.check(&variable.value) {
                        self.refuse(by.problem(self.reader, &bad.to_string()));
                    }
                }
            }
        }
    }

    fn give(&mut self, key: &str, value: String, by: By) {
        let Some(spec) = find(self.address.family, key) else {
            let hint = suggestion(self.address.family, key)
                .map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
            return self.refuse(by.problem(
                self.reader,
                &format!("is not an option of this kind of store{hint}"),
            ));
        };
        let checked = match self.address.settles(spec) {
            true => Err(settled_by(&self.named_by())),
            false => spec.kind.check(&value).map_err(|bad| bad.to_string()),
        };
        let is_refused = checked.is_err();
        if let Err(message) = checked
            && !self.given.contains_key(spec.name())
        {
            self.refuse(by.problem(self.reader, &message));
        }
        self.insert(key, value, is_refused, by);
    }

    /// Notes what gives an option. Only the first counts.
    fn insert(&mut self, key: &str, value: String, is_refused: bool, by: By) {
        let Some(spec) = find(self.address.family, key) else {
            return;
        };
        if let Some(other) = self.given.get(spec.name()) {
            let what = format!("is the same option as {}: leave one out", other.by.place());
            return self.refuse(by.problem(self.reader, &what));
        }
        let given = Given {
            value,
            is_refused,
            by,
        };
        self.given.insert(spec.name(), given);
    }

    /// What names the store, for messages.
    fn named_by(&self) -> String {
        match self.named_by {
            STORE_URL => format!("`{STORE_URL}`"),
            variable => variable.to_owned(),
        }
    }

    /// The name of an option in messages about one that comes from `by`.
    fn name_beside(&self, by: &By, name: &str) -> String {
        let given = self.given.get(name).map(|given| given.by.name());
        let variable = match by {
            By::Environment(_) => variable_of(self.address.family, name),
            By::Option(_) | By::File(..) | By::Node(_) => None,
        };
        given.or(variable).unwrap_or_else(|| format!("`{name}`"))
    }

    /// Refuses a client that is set to send no condition with a write.
    pub(super) fn require_conditional_writes(&self) {
        if let Some(given) = self.given.get("conditional_put")
            && given.value == "disabled"
        {
            let what = "is `disabled`, so that no write has a condition: leave it out, or set `store.conditional_writes` to \
                        `best-effort`";
            self.refuse(given.by.problem(self.reader, what));
        }
    }

    fn refuse(&self, problem: Problem) {
        self.found.keep::<()>(Err(problem));
    }

    /// A key file of Google's may name the server that all requests go to.
    fn check_key_files(&self) {
        if self.address.family != Family::Gcs {
            return;
        }
        for name in KEY_FILES {
            let Some(given) = self.given.get(name).filter(|given| !given.is_refused) else {
                continue;
            };
            let text = match given.value.trim_start().starts_with('{') {
                true => given.value.clone(),
                // One that can't be read was refused, or is when it is used.
                false => read_secret(Path::new(&given.value)).unwrap_or_default(),
            };
            let key: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            let server = key.get(SERVER_IN_KEY).and_then(serde_json::Value::as_str);
            let Some(Err(bad)) = server.map(|server| Kind::Url.check(server)) else {
                continue;
            };
            let what = format!("has a `{SERVER_IN_KEY}` that {bad}");
            self.refuse(given.by.problem(self.reader, &what));
        }
    }

    /// Checks the options as a whole, and returns them with the variables that concern them.
    pub(super) fn finish(mut self) -> (Values, StoreEnvironment) {
        let values = self
            .given
            .iter()
            .map(|(name, given)| (*name, (!given.is_refused).then_some(given.value.as_str())))
            .collect();
        self.check_key_files();
        for bad in relations(self.address, &values) {
            let Some(given) = self.given.get(bad.name) else {
                continue;
            };
            let by = &given.by;
            let message = bad.message(&|name| self.name_beside(by, name));
            match by {
                // What is wrong with its value was reported.
                By::Environment(_) | By::Node(_) if bad.is_ignored && given.is_refused => {}
                // Other programs may need the variable, and the node does not use it either.
                By::Environment(variable) | By::Node(variable) if bad.is_ignored => {
                    let variable = variable.clone();
                    self.environment.used.retain(|used| *used != variable);
                    self.environment.unused.push((variable, message));
                    self.given.remove(bad.name);
                }
                by => self.refuse(by.problem(self.reader, &message)),
            }
        }
        let mut values = Values {
            values: BTreeMap::new(),
            files: BTreeMap::new(),
            places: Vec::new(),
        };
        for (name, given) in self.given {
            let place = match &given.by {
                By::Option(_) | By::File(..) => format!("`{}`", given.by.place()),
                By::Node(_) | By::Environment(_) => given.by.place(),
            };
            values.places.push((name, place));
            if let By::File(_, path) = given.by {
                values.files.insert(name.to_owned(), path);
            }
            values.values.insert(name.to_owned(), given.value);
        }
        (values, self.environment)
    }
}

fn settled_by_place(by: &By) -> String {
    format!("settled by {}", by.place())
}
