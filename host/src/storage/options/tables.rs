//! The options of each store. A test compares them with object_store's own keys.

use super::Group::{
    Address, Alone, Bucket, Credentials, Encryption, Proxy, Region, WithAddress, WithCredentials,
};
use super::{Group, Kind, Spec};

/// The one option of `file://`: the directory of temporary files.
pub(in crate::storage) const SCRATCH: &str = "scratch";

/// The timeout of one request, which `sync.attempt_timeout` settles unless the option is written.
pub(in crate::storage) const TIMEOUT: &str = "timeout";

const fn spec(names: &'static [&'static str], kind: Kind, group: Group) -> Spec {
    Spec { names, kind, group }
}

/// Options of every store that speaks HTTP.
pub(super) const CLIENT: &[Spec] = &[
    spec(&["allow_http"], Kind::Switch, WithAddress),
    spec(&["allow_invalid_certificates"], Kind::Switch, WithAddress),
    spec(&["connect_timeout"], Kind::Length, Alone),
    spec(&["default_content_type"], Kind::Header, Alone),
    spec(&["disable_system_certificates"], Kind::Switch, WithAddress),
    spec(&["http1_only"], Kind::Switch, Alone),
    spec(&["http2_keep_alive_interval"], Kind::Length, Alone),
    spec(&["http2_keep_alive_timeout"], Kind::Length, Alone),
    spec(&["http2_keep_alive_while_idle"], Kind::Switch, Alone),
    spec(&["http2_max_frame_size"], Kind::FrameSize, Alone),
    spec(&["http2_only"], Kind::Switch, Alone),
    spec(&["pool_idle_timeout"], Kind::Length, Alone),
    spec(&["pool_max_idle_per_host"], Kind::Count, Alone),
    spec(&["proxy_ca_certificate"], Kind::Certificate, Proxy),
    spec(&["proxy_excludes"], Kind::Header, Proxy),
    spec(&["proxy_url"], Kind::ProxyUrl, Proxy),
    spec(&["randomize_addresses"], Kind::Switch, Alone),
    spec(&["read_timeout"], Kind::Length, Alone),
    spec(&[TIMEOUT], Kind::Length, Alone),
    spec(&["user_agent"], Kind::Header, Alone),
];

pub(super) const S3: &[Spec] = &[
    spec(
        &["access_key_id", "aws_access_key_id"],
        Kind::Identifier,
        Credentials,
    ),
    spec(
        &["bucket", "aws_bucket", "aws_bucket_name", "bucket_name"],
        Kind::Name,
        Bucket,
    ),
    spec(
        &["checksum_algorithm", "aws_checksum_algorithm"],
        Kind::Words(&["sha256", "crc64nvme"]),
        Alone,
    ),
    spec(
        &["conditional_put", "aws_conditional_put"],
        Kind::Words(&["etag", "disabled"]),
        Alone,
    ),
    spec(
        &[
            "container_authorization_token_file",
            "aws_container_authorization_token_file",
        ],
        Kind::File,
        Credentials,
    ),
    spec(
        &[
            "container_credentials_full_uri",
            "aws_container_credentials_full_uri",
        ],
        Kind::Url,
        Credentials,
    ),
    spec(
        &[
            "container_credentials_relative_uri",
            "aws_container_credentials_relative_uri",
        ],
        Kind::RelativeUri,
        Credentials,
    ),
    spec(
        &["copy_if_not_exists", "aws_copy_if_not_exists"],
        Kind::CopyIfNotExists,
        Alone,
    ),
    spec(
        &["disable_bulk_delete", "aws_disable_bulk_delete"],
        Kind::Switch,
        Alone,
    ),
    spec(
        &["disable_tagging", "aws_disable_tagging"],
        Kind::Switch,
        Alone,
    ),
    // The address for S3 alone takes precedence over the address for all services.
    spec(&["aws_endpoint_url_s3"], Kind::Url, Address),
    spec(
        &[
            "endpoint",
            "aws_endpoint_url",
            "aws_endpoint",
            "endpoint_url",
        ],
        Kind::Url,
        Address,
    ),
    spec(
        &["endpoint_url_sts", "aws_endpoint_url_sts"],
        Kind::Url,
        WithCredentials,
    ),
    spec(
        &["imdsv1_fallback", "aws_imdsv1_fallback"],
        Kind::Switch,
        WithCredentials,
    ),
    spec(
        &["metadata_endpoint", "aws_metadata_endpoint"],
        Kind::Url,
        WithCredentials,
    ),
    spec(&["region", "aws_region"], Kind::Name, Region),
    spec(
        &["default_region", "aws_default_region"],
        Kind::Name,
        Region,
    ),
    spec(
        &["request_payer", "aws_request_payer"],
        Kind::RequestPayer,
        Alone,
    ),
    spec(&["role_arn", "aws_role_arn"], Kind::Header, Credentials),
    spec(
        &["role_session_name", "aws_role_session_name"],
        Kind::Header,
        WithCredentials,
    ),
    spec(&["s3_express", "aws_s3_express"], Kind::Switch, Address),
    spec(
        &["secret_access_key", "aws_secret_access_key"],
        Kind::Secret,
        Credentials,
    ),
    spec(
        &["server_side_encryption", "aws_server_side_encryption"],
        Kind::Words(&["AES256", "aws:kms", "aws:kms:dsse", "sse-c"]),
        Encryption,
    ),
    spec(
        &["session_token", "aws_session_token", "aws_token", "token"],
        Kind::Token,
        Credentials,
    ),
    spec(
        &["skip_signature", "aws_skip_signature"],
        Kind::Switch,
        Credentials,
    ),
    spec(
        &["sse_bucket_key_enabled", "aws_sse_bucket_key_enabled"],
        Kind::Switch,
        Encryption,
    ),
    spec(
        &["sse_customer_key_base64", "aws_sse_customer_key_base64"],
        Kind::EncryptionKey,
        Encryption,
    ),
    spec(
        &["sse_kms_key_id", "aws_sse_kms_key_id"],
        Kind::Header,
        Encryption,
    ),
    spec(
        &["unsigned_payload", "aws_unsigned_payload"],
        Kind::Switch,
        Alone,
    ),
    spec(
        &[
            "virtual_hosted_style_request",
            "aws_virtual_hosted_style_request",
        ],
        Kind::Switch,
        WithAddress,
    ),
    spec(
        &["web_identity_token_file", "aws_web_identity_token_file"],
        Kind::File,
        Credentials,
    ),
];

pub(super) const GCS: &[Spec] = &[
    spec(
        &["application_credentials", "google_application_credentials"],
        Kind::File,
        Credentials,
    ),
    spec(&["base_url", "google_base_url"], Kind::Url, Address),
    spec(
        &["bearer_token", "google_bearer_token"],
        Kind::Token,
        Credentials,
    ),
    spec(
        &[
            "bucket",
            "google_bucket",
            "google_bucket_name",
            "bucket_name",
        ],
        Kind::Name,
        Bucket,
    ),
    spec(
        &[
            "service_account",
            "google_service_account",
            "google_service_account_path",
            "service_account_path",
        ],
        Kind::File,
        Credentials,
    ),
    spec(
        &["service_account_key", "google_service_account_key"],
        Kind::Json,
        Credentials,
    ),
    spec(
        &["skip_signature", "google_skip_signature"],
        Kind::Switch,
        Credentials,
    ),
];

pub(super) const AZURE: &[Spec] = &[
    spec(
        &[
            "access_key",
            "azure_storage_account_key",
            "azure_storage_access_key",
            "azure_storage_master_key",
            "account_key",
            "master_key",
        ],
        Kind::Base64,
        Credentials,
    ),
    // The account's name is part of the address.
    spec(
        &["account_name", "azure_storage_account_name"],
        Kind::Name,
        Address,
    ),
    spec(
        &[
            "authority_host",
            "azure_storage_authority_host",
            "azure_authority_host",
        ],
        Kind::Url,
        WithCredentials,
    ),
    spec(
        &[
            "authority_id",
            "azure_storage_tenant_id",
            "azure_storage_authority_id",
            "azure_tenant_id",
            "azure_authority_id",
            "tenant_id",
        ],
        Kind::Name,
        Credentials,
    ),
    spec(
        &["bearer_token", "azure_storage_token", "token"],
        Kind::Token,
        Credentials,
    ),
    spec(
        &["client_id", "azure_storage_client_id", "azure_client_id"],
        Kind::Identifier,
        Credentials,
    ),
    spec(
        &[
            "client_secret",
            "azure_storage_client_secret",
            "azure_client_secret",
        ],
        Kind::Secret,
        Credentials,
    ),
    spec(
        &["container_name", "azure_container_name"],
        Kind::Name,
        Bucket,
    ),
    spec(
        &["credential_type", "azure_credential_type"],
        Kind::Words(&[
            "auto",
            "bearer_token",
            "access_key",
            "client_secret",
            "workload_identity",
            "sas_token",
            "azure_cli",
            "managed_identity",
        ]),
        Credentials,
    ),
    spec(
        &["disable_tagging", "azure_disable_tagging"],
        Kind::Switch,
        Alone,
    ),
    spec(
        &["encryption_key", "azure_storage_encryption_key"],
        Kind::EncryptionKey,
        Encryption,
    ),
    spec(
        &["endpoint", "azure_storage_endpoint", "azure_endpoint"],
        Kind::Url,
        Address,
    ),
    spec(
        &[
            "fabric_cluster_identifier",
            "azure_fabric_cluster_identifier",
        ],
        Kind::Header,
        Credentials,
    ),
    spec(
        &["fabric_session_token", "azure_fabric_session_token"],
        Kind::Token,
        Credentials,
    ),
    spec(
        &["fabric_token_service_url", "azure_fabric_token_service_url"],
        Kind::Url,
        Credentials,
    ),
    spec(
        &["fabric_workload_host", "azure_fabric_workload_host"],
        Kind::Header,
        Credentials,
    ),
    spec(
        &["federated_token_file", "azure_federated_token_file"],
        Kind::File,
        Credentials,
    ),
    spec(
        &[
            "msi_endpoint",
            "azure_msi_endpoint",
            "azure_identity_endpoint",
            "identity_endpoint",
        ],
        Kind::Url,
        WithCredentials,
    ),
    spec(
        &["msi_resource_id", "azure_msi_resource_id"],
        Kind::Header,
        Credentials,
    ),
    spec(&["object_id", "azure_object_id"], Kind::Header, Credentials),
    spec(
        &[
            "sas_token",
            "azure_storage_sas_key",
            "azure_storage_sas_token",
            "sas_key",
        ],
        Kind::Sas,
        Credentials,
    ),
    spec(
        &["skip_signature", "azure_skip_signature"],
        Kind::Switch,
        Credentials,
    ),
    spec(
        &["use_azure_cli", "azure_use_azure_cli"],
        Kind::Switch,
        Credentials,
    ),
    spec(
        &["use_emulator", "azure_storage_use_emulator"],
        Kind::Switch,
        Address,
    ),
    spec(
        &["use_fabric_endpoint", "azure_use_fabric_endpoint"],
        Kind::Switch,
        Address,
    ),
];

pub(super) const FILE: &[Spec] = &[spec(&[SCRATCH], Kind::Path, Alone)];
