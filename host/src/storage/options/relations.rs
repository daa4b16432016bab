//! Options that only work together, or exclude each other.

use std::collections::BTreeMap;

use url::Url;

use super::{Address, Family};

/// Why options don't go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadRelation {
    /// The option that is wrong, under the name that [`Spec::name`](super::Spec::name) gives.
    pub(crate) name: &'static str,
    /// Whether the store works as if the option were not there.
    pub(crate) is_ignored: bool,
    clash: Clash,
}

/// What is wrong with an option beside others.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Clash {
    /// It needs one of these too.
    Needs(&'static [&'static str]),
    /// Only one of both may be set.
    Excludes(&'static str),
    /// The other one decides.
    HiddenBy(&'static str),
    /// The key of an encryption of another kind.
    NotSseC,
    /// An address of plain HTTP, which object_store refuses unless a switch is on.
    PlainHttp,
    /// The requests name no bucket: they go to this endpoint as it is.
    NoBucket {
        bucket: String,
        endpoint: &'static str,
    },
}

impl BadRelation {
    /// What follows the option's name. `named` gives the names of other options.
    pub(crate) fn message(&self, named: &dyn Fn(&str) -> String) -> String {
        match &self.clash {
            Clash::Needs(others) => {
                let others: Vec<_> = others.iter().map(|name| named(name)).collect();
                format!("has no effect without {}: write both", others.join(" or "))
            }
            Clash::Excludes(other) => {
                format!("and {} exclude each other: leave one out", named(other))
            }
            Clash::HiddenBy(other) => {
                format!("has no effect beside {}: leave one out", named(other))
            }
            Clash::NotSseC => format!(
                "is used only if {} is `sse-c`",
                named("server_side_encryption")
            ),
            Clash::PlainHttp => format!(
                "begins with `http://`, and plain HTTP is not allowed: set {} to true, or write `https://`",
                named("allow_http")
            ),
            Clash::NoBucket { bucket, endpoint } => {
                let endpoint = named(endpoint);
                format!(
                    "asks for the bucket in the host name, and the host in {endpoint} has none, so requests would name \
                     no bucket: begin the host in {endpoint} with `{bucket}.`, or ask for the bucket in the path"
                )
            }
        }
    }
}

/// An option, and options of which at least one must be set too.
const NEEDS: &[(Family, &str, &[&str])] = &[
    (Family::S3, "access_key_id", &["secret_access_key"]),
    (Family::S3, "secret_access_key", &["access_key_id"]),
    (Family::S3, "session_token", &["access_key_id"]),
    (Family::S3, "web_identity_token_file", &["role_arn"]),
    (
        Family::S3,
        "container_credentials_full_uri",
        &["container_authorization_token_file"],
    ),
    (
        Family::S3,
        "sse_customer_key_base64",
        &["server_side_encryption"],
    ),
    (Family::S3, "sse_kms_key_id", &["server_side_encryption"]),
    (
        Family::S3,
        "sse_bucket_key_enabled",
        &["server_side_encryption"],
    ),
    (Family::Azure, "client_secret", &["client_id"]),
    (Family::Azure, "client_secret", &["authority_id"]),
    (Family::Azure, "federated_token_file", &["client_id"]),
    (Family::Azure, "federated_token_file", &["authority_id"]),
];

/// Options of which object_store silently uses one, or fails on.
const EXCLUDES: &[(Family, &str, &str)] = &[
    (Family::S3, "aws_endpoint_url_s3", "endpoint"),
    (Family::S3, "default_region", "region"),
    (Family::Gcs, "service_account", "service_account_key"),
    (Family::Azure, "endpoint", "use_emulator"),
    (Family::Azure, "use_fabric_endpoint", "endpoint"),
];

/// An option that has no effect if the other one is on. In the environment, that is not an error.
const HIDDEN: &[(Family, &str, &str)] = &[
    (Family::S3, "access_key_id", "skip_signature"),
    (Family::S3, "secret_access_key", "skip_signature"),
    (Family::Gcs, "bearer_token", "skip_signature"),
    (Family::Gcs, "service_account", "skip_signature"),
    (Family::Gcs, "service_account_key", "skip_signature"),
    (Family::Gcs, "application_credentials", "skip_signature"),
    (Family::Gcs, "application_credentials", "service_account"),
    (
        Family::Gcs,
        "application_credentials",
        "service_account_key",
    ),
    (Family::Azure, "access_key", "skip_signature"),
    (Family::Azure, "bearer_token", "skip_signature"),
    (Family::Azure, "client_secret", "skip_signature"),
    (Family::Azure, "sas_token", "skip_signature"),
    (Family::Azure, "access_key", "bearer_token"),
    (Family::Azure, "sas_token", "bearer_token"),
    (Family::Azure, "sas_token", "access_key"),
    (Family::Azure, "client_secret", "bearer_token"),
    (Family::Azure, "client_secret", "access_key"),
];

/// The options that address the store's server.
const ENDPOINTS: &[(Family, &str)] = &[
    (Family::S3, "aws_endpoint_url_s3"),
    (Family::S3, "endpoint"),
    (Family::Gcs, "base_url"),
    (Family::Azure, "endpoint"),
];

/// Whether only one of these options may be set.
pub(crate) fn exclude(family: Family, one: &str, other: &str) -> bool {
    EXCLUDES.iter().any(|(of, left, right)| {
        *of == family && ((*left, *right) == (one, other) || (*left, *right) == (other, one))
    })
}

/// What is wrong with options, by their own names, as a whole. The value of an option that was refused is `None`: the
/// option is there, and its value decides nothing.
pub(crate) fn relations(
    address: &Address,
    options: &BTreeMap<&'static str, Option<&str>>,
) -> Vec<BadRelation> {
    let family = address.family;
    let is_set = |name: &str| options.contains_key(name);
    let value = |name: &str| options.get(name).copied().flatten();
    let is_on = |name: &str| {
        value(name).is_some_and(|value| {
            !matches!(
                value.to_ascii_lowercase().as_str(),
                "0" | "false" | "off" | "no" | "n"
            )
        })
    };
    let mut wrong = Vec::new();
    let mut add = |name, clash, is_ignored| {
        wrong.push(BadRelation {
            name,
            is_ignored,
            clash,
        });
    };
    for (of, name, others) in NEEDS {
        if *of == family && is_set(name) && !others.iter().any(|name| is_set(name)) {
            // One half of a key pair makes object_store fail.
            let is_ignored = !matches!(*name, "access_key_id" | "secret_access_key");
            add(name, Clash::Needs(others), is_ignored);
        }
    }
    for (of, name, other) in EXCLUDES {
        if *of == family && is_on(name) && is_on(other) {
            add(name, Clash::Excludes(other), false);
        }
    }
    for (of, name, other) in HIDDEN {
        if *of == family && is_set(name) && is_on(other) {
            add(name, Clash::HiddenBy(other), true);
        }
    }
    if is_on("http1_only") && is_on("http2_only") {
        add("http1_only", Clash::Excludes("http2_only"), false);
    }
    // A switch whose value was refused may have been meant to be on.
    let may_be_plain = match options.get("allow_http") {
        Some(value) => value.is_none() || is_on("allow_http"),
        None => false,
    };
    for (of, name) in ENDPOINTS {
        if *of == family && !may_be_plain && value(name).is_some_and(is_plain) {
            add(name, Clash::PlainHttp, false);
        }
    }
    if family != Family::S3 {
        return wrong;
    }
    let encryption = value("server_side_encryption");
    if encryption == Some("sse-c") && !is_set("sse_customer_key_base64") {
        let clash = Clash::Needs(&["sse_customer_key_base64"]);
        add("server_side_encryption", clash, false);
    }
    if encryption.is_some_and(|kind| kind != "sse-c") && is_set("sse_customer_key_base64") {
        add("sse_customer_key_base64", Clash::NotSseC, false);
    }
    let endpoint = ["aws_endpoint_url_s3", "endpoint"]
        .into_iter()
        .find_map(|name| Some((name, value(name)?)));
    if is_on("virtual_hosted_style_request")
        && let Some((endpoint, text)) = endpoint
        && let Some(bucket) = address.bucket()
        && !names_bucket(text, bucket)
    {
        let bucket = bucket.to_owned();
        let clash = Clash::NoBucket { bucket, endpoint };
        add("virtual_hosted_style_request", clash, false);
    }
    wrong
}

fn is_plain(endpoint: &str) -> bool {
    Url::parse(endpoint).is_ok_and(|url| url.scheme() == "http")
}

/// Whether the endpoint is that of this one bucket, by its host name or its path.
fn names_bucket(endpoint: &str, bucket: &str) -> bool {
    let Ok(url) = Url::parse(endpoint) else {
        return false;
    };
    let rest = url.host_str().and_then(|host| {
        // Host names have no case.
        host.strip_prefix(&bucket.to_ascii_lowercase())
    });
    let is_in_host = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let mut path = url.path().trim_end_matches('/').rsplit('/');
    is_in_host || path.next() == Some(bucket)
}
