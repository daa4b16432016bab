//! Options that only work together, or exclude each other.

use std::collections::BTreeMap;

use super::Family;

/// Why options don't go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadRelation {
    /// The option that is wrong, under the name that [`Spec::name`](super::Spec::name) gives.
    pub(crate) name: &'static str,
    /// What follows the option's name.
    pub(crate) message: String,
    /// Whether the store works as if the option were not there.
    pub(crate) is_ignored: bool,
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

/// Whether only one of these options may be set.
pub(crate) fn exclude(family: Family, one: &str, other: &str) -> bool {
    EXCLUDES.iter().any(|(of, left, right)| {
        *of == family && ((*left, *right) == (one, other) || (*left, *right) == (other, one))
    })
}

/// What is wrong with options, by their own names, as a whole.
pub(crate) fn relations<V: AsRef<str>>(
    family: Family,
    options: &BTreeMap<&'static str, V>,
) -> Vec<BadRelation> {
    let value = |name: &str| options.get(name).map(AsRef::as_ref);
    let is_on = |name: &str| {
        value(name).is_some_and(|value| {
            !matches!(
                value.to_ascii_lowercase().as_str(),
                "0" | "false" | "off" | "no" | "n"
            )
        })
    };
    let mut wrong = Vec::new();
    let mut add = |name, message: String, is_ignored| {
        wrong.push(BadRelation {
            name,
            message,
            is_ignored,
        });
    };
    for (of, name, others) in NEEDS {
        if *of == family
            && value(name).is_some()
            && !others.iter().any(|name| value(name).is_some())
        {
            // One half of a key pair makes object_store fail.
            let is_ignored = !matches!(*name, "access_key_id" | "secret_access_key");
            let others = others.join("` or `");
            let message = format!("has no effect without `{others}`: write both");
            add(name, message, is_ignored);
        }
    }
    for (of, name, other) in EXCLUDES {
        if *of == family && is_on(name) && is_on(other) {
            add(
                name,
                format!("and `{other}` exclude each other: leave one out"),
                false,
            );
        }
    }
    if family == Family::S3
        && value("sse_customer_key_base64").is_none()
        && value("server_side_encryption") == Some("sse-c")
    {
        add(
            "server_side_encryption",
            "is `sse-c`, which needs `sse_customer_key_base64`: write both".to_owned(),
            false,
        );
    }
    if family == Family::S3
        && value("sse_customer_key_base64").is_some()
        && value("server_side_encryption").is_some_and(|kind| kind != "sse-c")
    {
        add(
            "sse_customer_key_base64",
            "is used only with `server_side_encryption = \"sse-c\"`".to_owned(),
            false,
        );
    }
    wrong
}
