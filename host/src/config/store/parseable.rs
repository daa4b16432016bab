//! The store of a Parseable node, as the node's own environment names it.
//!
//! Which kind of store the node uses is an argument of its command line, so it is inferred from the variables that are
//! set.

use std::path::Path;

use url::Url;

use super::STORE_URL;
use crate::storage::{Kind, check_path};

/// A store, as a node's variables describe it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) url: String,
    /// What names the store: [`STORE_URL`], or a variable.
    pub(super) named_by: &'static str,
    /// Options, each with the variable that gives it. The first option of a variable is what the variable is about.
    pub(super) options: Vec<(String, &'static str, String)>,
    /// Variables that are used, besides those of options.
    pub(super) used: Vec<String>,
    /// Variables that are not used, each with the reason.
    pub(super) unused: Vec<(String, String)>,
}

impl Node {
    /// The store at a URL that is written, with nothing from a node.
    pub(super) fn written(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            named_by: STORE_URL,
            ..Self::default()
        }
    }
}

/// Variables that Parseable 2.9.5 reads for each kind of store. The first of each kind must be set.
const S3: [&str; 11] = [
    "P_S3_BUCKET",
    "P_S3_URL",
    "P_S3_REGION",
    "P_S3_ACCESS_KEY",
    "P_S3_SECRET_KEY",
    "P_S3_SSEC_ENCRYPTION_KEY",
    "P_S3_CHECKSUM",
    "P_S3_PATH_STYLE",
    "P_S3_TLS_SKIP_VERIFY",
    "P_AWS_IMDSV1_FALLBACK",
    "P_AWS_METADATA_ENDPOINT",
];
const AZURE: [&str; 7] = [
    "P_AZR_CONTAINER",
    "P_AZR_URL",
    "P_AZR_ACCOUNT",
    "P_AZR_ACCESS_KEY",
    "P_AZR_CLIENT_ID",
    "P_AZR_CLIENT_SECRET",
    "P_AZR_TENANT_ID",
];
const GCS: [&str; 3] = ["P_GCS_BUCKET", "P_GCS_URL", "P_GCS_TLS_SKIP_VERIFY"];
const DRIVE: &str = "P_FS_DIR";

/// Reads the node's variables.
struct Variables<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
    node: Node,
    problems: Vec<String>,
}

/// The store that the node's variables name, and what is wrong with them. A problem with a value that only an option
/// has is found later.
pub(super) fn node(env: &dyn Fn(&str) -> Option<String>) -> (Option<Node>, Vec<String>) {
    let mut variables = Variables {
        env,
        node: Node::default(),
        problems: Vec::new(),
    };
    variables.read();
    let Variables { node, problems, .. } = variables;
    ((!node.url.is_empty()).then_some(node), problems)
}

impl Variables<'_> {
    fn read(&mut self) {
        let is_any = |names: &[&str]| names.iter().any(|name| self.value(name).is_some());
        let kinds = (is_any(&S3), is_any(&AZURE), is_any(&GCS));
        match kinds {
            (true, false, false) => self.s3(),
            (false, true, false) => self.azure(),
            (false, false, true) => self.gcs(),
            (false, false, false) if self.value(DRIVE).is_some() => return self.drive(),
            (false, false, false) => self.problems.push(format!(
                "the environment names no store of a node: set {}, {}, {} or {DRIVE} and what goes with it, or write `url`",
                S3[0], AZURE[0], GCS[0]
            )),
            _ => self.problems.push(
                "the environment names stores of several kinds, and which one the node uses is on its command line: \
                 unset the variables of the others, or write `url`"
                    .to_owned(),
            ),
        }
        // Many deployments set it for every node.
        if self.value(DRIVE).is_some() {
            self.unused(DRIVE, "the node uses another store");
        }
    }

    fn s3(&mut self) {
        let bucket = self.required(S3[0]);
        if let Some(endpoint) = self.required("P_S3_URL") {
            self.address("P_S3_URL", endpoint, "endpoint");
        }
        if let Some(region) = self.required("P_S3_REGION") {
            self.option("P_S3_REGION", "region", region);
        }
        self.pair([
            ("P_S3_ACCESS_KEY", "access_key_id"),
            ("P_S3_SECRET_KEY", "secret_access_key"),
        ]);
        if let Some(key) = self.value("P_S3_SSEC_ENCRYPTION_KEY") {
            match key.strip_prefix("SSE-C:AES256:") {
                Some(key) => {
                    let name = "P_S3_SSEC_ENCRYPTION_KEY";
                    self.option(name, "server_side_encryption", "sse-c".to_owned());
                    self.option(name, "sse_customer_key_base64", key.to_owned());
                }
                None => self.problems.push(
                    "the node's variable P_S3_SSEC_ENCRYPTION_KEY is not `SSE-C:AES256:<key in base64>`"
                        .to_owned(),
                ),
            }
        }
        if self.switch("P_S3_CHECKSUM") == Some(true) {
            self.option("P_S3_CHECKSUM", "checksum_algorithm", "sha256".to_owned());
        }
        if let Some(path_style) = self.switch("P_S3_PATH_STYLE") {
            self.option(
                "P_S3_PATH_STYLE",
                "virtual_hosted_style_request",
                (!path_style).to_string(),
            );
        }
        if self.switch("P_S3_TLS_SKIP_VERIFY") == Some(true) {
            self.skip_verification("P_S3_TLS_SKIP_VERIFY");
        }
        if self.switch("P_AWS_IMDSV1_FALLBACK") == Some(true) {
            self.option(
                "P_AWS_IMDSV1_FALLBACK",
                "imdsv1_fallback",
                "true".to_owned(),
            );
        }
        if let Some(endpoint) = self.value("P_AWS_METADATA_ENDPOINT") {
            self.option("P_AWS_METADATA_ENDPOINT", "metadata_endpoint", endpoint);
        }
        self.url("s3", S3[0], bucket);
    }

    fn azure(&mut self) {
        let container = self.required(AZURE[0]);
        if let Some(endpoint) = self.required("P_AZR_URL") {
            self.address("P_AZR_URL", endpoint, "endpoint");
        }
        if let Some(account) = self.required("P_AZR_ACCOUNT") {
            self.option("P_AZR_ACCOUNT", "account_name", account);
        }
        if let Some(key) = self.value("P_AZR_ACCESS_KEY") {
            self.option("P_AZR_ACCESS_KEY", "access_key", key);
        }
        self.pair([
            ("P_AZR_CLIENT_ID", "client_id"),
            ("P_AZR_CLIENT_SECRET", "client_secret"),
            ("P_AZR_TENANT_ID", "authority_id"),
        ]);
        self.url("az", AZURE[0], container);
    }

    fn gcs(&mut self) {
        let bucket = self.required(GCS[0]);
        if self.value("P_GCS_URL").is_some() {
            self.unused(
                "P_GCS_URL",
                "the node shows it and sends no request there; write `base_url` in [store.options] to use it",
            );
        }
        if self.switch("P_GCS_TLS_SKIP_VERIFY") == Some(true) {
            self.skip_verification("P_GCS_TLS_SKIP_VERIFY");
        }
        self.url("gs", GCS[0], bucket);
    }

    fn drive(&mut self) {
        let dir = self.value(DRIVE).unwrap_or_default();
        if let Err(bad) = Kind::Path.check(&dir).and_then(|()| check_path(&dir)) {
            self.problems
                .push(format!("the node's variable {DRIVE} {bad}"));
            return;
        }
        match Url::from_directory_path(Path::new(&dir)) {
            Ok(url) => {
                self.node.used.push(DRIVE.to_owned());
                self.node.url = url.into();
                self.node.named_by = DRIVE;
            }
            Err(()) => self.problems.push(format!(
                "the node's variable {DRIVE} is the relative path {dir}, which starts from the node's working directory: \
                 set the whole path, or write `url = \"file:///…\"`"
            )),
        }
    }

    /// The URL of a bucket or container.
    fn url(&mut self, scheme: &str, variable: &'static str, name: Option<String>) {
        let Some(name) = name else {
            return;
        };
        // The parser of URLs removes white space, and the node does not.
        if let Err(bad) = Kind::Name.check(&name) {
            self.problems
                .push(format!("the node's variable {variable} {bad}"));
            return;
        }
        self.node.used.push(variable.to_owned());
        self.node.url = format!("{scheme}://{name}");
        self.node.named_by = variable;
    }

    /// A server's address. The node needs no option to use plain HTTP.
    fn address(&mut self, variable: &str, address: String, option: &'static str) {
        let is_plain = address
            .get(..7)
            .is_some_and(|start| start.eq_ignore_ascii_case("http://"));
        self.option(variable, option, address);
        if is_plain {
            self.option(variable, "allow_http", "true".to_owned());
        }
    }

    fn skip_verification(&mut self, variable: &str) {
        self.option(variable, "allow_invalid_certificates", "true".to_owned());
    }

    /// Options that the node uses together or not at all.
    fn pair<const N: usize>(&mut self, variables: [(&'static str, &'static str); N]) {
        let values = variables.map(|(variable, option)| (variable, option, self.value(variable)));
        let missing = values.iter().find(|(_, _, value)| value.is_none());
        match missing.map(|(variable, ..)| *variable) {
            None => {
                for (variable, option, value) in values {
                    self.option(variable, option, value.unwrap_or_default());
                }
            }
            Some(missing) => {
                for (variable, _, value) in values {
                    if value.is_some() {
                        self.unused(
                            variable,
                            &format!("the node does not use it without {missing}"),
                        );
                    }
                }
            }
        }
    }

    /// A variable's value. An empty variable counts as not set.
    fn value(&self, name: &str) -> Option<String> {
        (self.env)(name).filter(|value| !value.is_empty())
    }

    fn required(&mut self, name: &str) -> Option<String> {
        let value = self.value(name);
        if value.is_none() {
            self.problems.push(format!(
                "the environment has no {name}: set it, or write `url`"
            ));
        }
        value
    }

    fn switch(&mut self, name: &str) -> Option<bool> {
        let value = self.value(name)?;
        if value.eq_ignore_ascii_case("true") {
            return Some(true);
        }
        if !value.eq_ignore_ascii_case("false") {
            let value = value.escape_debug();
            self.problems.push(format!(
                "the node's variable {name} is `{value}`, and the node accepts only `true` or `false`"
            ));
            return None;
        }
        // There is no option to set, but the variable was used.
        if !self.node.used.iter().any(|used| used == name) {
            self.node.used.push(name.to_owned());
        }
        Some(false)
    }

    fn option(&mut self, variable: &str, option: &'static str, value: String) {
        self.node.options.push((variable.to_owned(), option, value));
    }

    fn unused(&mut self, variable: &str, reason: &str) {
        self.node
            .unused
            .push((variable.to_owned(), reason.to_owned()));
    }
}
