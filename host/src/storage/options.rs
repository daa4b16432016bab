//! The names of the stores' options. object_store parses them but doesn't list them, so the lists here serve suggestions
//! and say which values may be shown; what is accepted is decided by object_store.

/// Options of every store that speaks HTTP.
const CLIENT: &[&str] = &[
    "allow_http",
    "allow_invalid_certificates",
    "connect_timeout",
    "disable_system_certificates",
    "http1_only",
    "http2_only",
    "pool_idle_timeout",
    "pool_max_idle_per_host",
    "proxy_ca_certificate",
    "proxy_excludes",
    "proxy_url",
    "read_timeout",
    "timeout",
    "user_agent",
];

pub(super) const S3: &[&str] = &[
    "access_key_id",
    "bucket",
    "checksum_algorithm",
    "conditional_put",
    "container_authorization_token_file",
    "container_credentials_full_uri",
    "container_credentials_relative_uri",
    "copy_if_not_exists",
    "default_region",
    "disable_tagging",
    "endpoint",
    "endpoint_url_sts",
    "imdsv1_fallback",
    "metadata_endpoint",
    "region",
    "request_payer",
    "role_arn",
    "role_session_name",
    "s3_express",
    "secret_access_key",
    "server_side_encryption",
    "session_token",
    "skip_signature",
    "sse_bucket_key_enabled",
    "sse_customer_key_base64",
    "sse_kms_key_id",
    "unsigned_payload",
    "virtual_hosted_style_request",
    "web_identity_token_file",
];

pub(super) const GCS: &[&str] = &[
    "application_credentials",
    "base_url",
    "bearer_token",
    "bucket",
    "service_account",
    "service_account_key",
    "skip_signature",
];

pub(super) const AZURE: &[&str] = &[
    "access_key",
    "account_name",
    "authority_host",
    "authority_id",
    "bearer_token",
    "client_id",
    "client_secret",
    "container_name",
    "credential_type",
    "encryption_key",
    "endpoint",
    "federated_token_file",
    "msi_endpoint",
    "sas_token",
    "skip_signature",
    "use_azure_cli",
    "use_emulator",
    "use_fabric_endpoint",
];

/// The one option of `file://`: where temporary files stand.
pub(super) const SCRATCH: &str = "scratch";

pub(super) const FILE: &[&str] = &[SCRATCH];

/// Options whose values can't hold a secret, as long as they carry no user information.
const PUBLIC: &[&str] = &[
    "account_name",
    "allow_http",
    "bucket",
    "bucket_name",
    "conditional_put",
    "connect_timeout",
    "container_name",
    "copy_if_not_exists",
    "default_region",
    "endpoint",
    "metadata_endpoint",
    "region",
    SCRATCH,
    "skip_signature",
    "timeout",
    "use_emulator",
    "virtual_hosted_style_request",
];

/// Whether the value of this option may be shown.
pub(super) fn is_public(key: &str, value: &str) -> bool {
    PUBLIC.contains(&key) && !value.contains(['@', '?'])
}

/// The option that was probably meant; `client` tells whether those of HTTP stores count too.
pub(super) fn suggestion(
    key: &str,
    names: &'static [&'static str],
    client: bool,
) -> Option<&'static str> {
    /// How alike two names must be (Jaro-Winkler, 0 to 1) before one is offered for the other.
    const ALIKE: f64 = 0.85;
    let shared = if client { CLIENT } else { &[] };
    names
        .iter()
        .chain(shared)
        .map(|name| (strsim::jaro_winkler(key, name), *name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::aws::AmazonS3ConfigKey;
    use object_store::azure::AzureConfigKey;
    use object_store::gcp::GoogleConfigKey;

    #[test]
    fn every_listed_option_is_one() {
        for name in S3.iter().chain(CLIENT) {
            assert!(name.parse::<AmazonS3ConfigKey>().is_ok(), "{name}");
        }
        for name in GCS.iter().chain(CLIENT) {
            assert!(name.parse::<GoogleConfigKey>().is_ok(), "{name}");
        }
        for name in AZURE.iter().chain(CLIENT) {
            assert!(name.parse::<AzureConfigKey>().is_ok(), "{name}");
        }
    }

    #[test]
    fn misspelled_options_find_their_neighbour() {
        assert_eq!(suggestion("endpiont", S3, true), Some("endpoint"));
        assert_eq!(suggestion("alow_http", GCS, true), Some("allow_http"));
        assert_eq!(suggestion("zebra", S3, true), None);
        assert_eq!(suggestion("alow_http", FILE, false), None);
    }
}
