use super::names::SettingNames;

/// Who runs a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Provider {
    #[default]
    S3,
    Gcs,
    Azure,
}

/// The keys and variables that hints name, by what they set.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    /// The host.
    pub(super) address: String,
    pub(super) region: String,
    pub(super) container: String,
    /// The client's identity.
    pub(super) identity: String,
    /// The secret that proves the identity.
    pub(super) secret: String,
    /// Identity and secret, if they are separate settings.
    pub(super) credentials: String,
    /// A credential that expires.
    pub(super) token: String,
    /// The environment variables that credentials may come from. `None` if they are not read.
    pub(super) environment: Option<&'static str>,
    /// The token service.
    pub(super) service: String,
    /// How checksums are sent along with writes.
    pub(super) with_checksums: String,
    pub(super) without_tls: String,
    pub(super) allow_plain: String,
    pub(super) with_tls: String,
}

impl Keys {
    /// The keys for a store. `name` gives the key or variable for an option, `is_set` whether the option has a value.
    pub(super) fn new(
        provider: Provider,
        names: &SettingNames,
        name: &dyn Fn(&str) -> String,
        is_set: &dyn Fn(&str) -> bool,
    ) -> Self {
        let endpoint = match provider {
            Provider::Gcs => "base_url",
            Provider::S3 | Provider::Azure => "endpoint",
        };
        // Without an endpoint the host is made from another setting.
        let address = match provider {
            Provider::S3 if !is_set(endpoint) => {
                format!("{} and {}", name("region"), name(endpoint))
            }
            Provider::Azure if !is_set(endpoint) => name("account_name"),
            _ => name(endpoint),
        };
        let first_set = |options: &[&str]| {
            let found = options.iter().find(|option| is_set(option));
            name(found.or(options.first()).copied().unwrap_or_default())
        };
        let both = |identity: &str, secret: &str| match identity == secret {
            true => secret.to_owned(),
            false => format!("{identity} and {secret}"),
        };
        let (identity, secret, token, environment) = match provider {
            Provider::S3 => (
                name("access_key_id"),
                name("secret_access_key"),
                // Static keys have no token, and are then what is not valid.
                match is_set("session_token") || !is_set("access_key_id") {
                    true => name("session_token"),
                    false => both(&name("access_key_id"), &name("secret_access_key")),
                },
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            ),
            Provider::Gcs => {
                let options = [
                    "service_account",
                    "service_account_key",
                    "application_credentials",
                ];
                let key = first_set(&options);
                (key.clone(), key.clone(), key, "GOOGLE_SERVICE_ACCOUNT")
            }
            Provider::Azure => (
                name("account_name"),
                first_set(&["access_key", "sas_token", "bearer_token", "client_secret"]),
                first_set(&["sas_token", "bearer_token"]),
                "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
            ),
        };
        let credentials = both(&identity, &secret);
        let leads_to_service: &[&str] = match provider {
            Provider::S3 => &[
                "web_identity_token_file",
                "role_arn",
                "container_credentials_relative_uri",
                "container_credentials_full_uri",
                "container_authorization_token_file",
            ],
            Provider::Gcs => &[
                "service_account",
                "service_account_key",
                "application_credentials",
            ],
            Provider::Azure => &[
                "client_id",
                "client_secret",
                "authority_id",
                "federated_token_file",
            ],
        };
        let service: Vec<_> = leads_to_service
            .iter()
            .filter(|option| is_set(option))
            .map(|option| name(option))
            .collect();
        let allow_plain = format!("set `{} = true`", name("allow_http").trim_matches('`'));
        Self {
            region: name("region"),
            container: names.store(),
            environment: (!names.is_parseable()).then_some(environment),
            service: match service.is_empty() {
                true => credentials.clone(),
                false => service.join(", "),
            },
            with_checksums: match names.is_parseable() {
                true => format!("set {} to true", name("checksum_algorithm")),
                false => format!("set {} to \"sha256\"", name("checksum_algorithm")),
            },
            // Parseable has one setting for both.
            without_tls: match names.is_parseable() {
                true => format!("write `http://` in {address}"),
                false => format!("write `http://` in {address} and {allow_plain}"),
            },
            with_tls: format!("write `https://` in {address}"),
            address,
            identity,
            secret,
            credentials,
            token,
            allow_plain,
        }
    }
}
