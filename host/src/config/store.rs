//! `[store]`: from the file, from files of secrets, or from a Parseable node's own environment.

use std::collections::BTreeMap;
use std::path::Path;

use super::file::{self, File};
use super::settings::Reader;
use super::source::Problem;
use crate::storage::{ConditionalWrites, SettingNames, StoreSettings};

/// The largest file of a secret, in bytes.
const MAX_SECRET: u64 = 64 << 10;

pub(super) fn settings(
    reader: &Reader<'_>,
    file: &File,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<StoreSettings, Problem> {
    let store = &file.store;
    let mut settings = match (&store.url, store.from) {
        (Some(url), None) => StoreSettings::new(url),
        (None, Some(file::StoreOrigin::Parseable)) => {
            parseable(env).map_err(|message| reader.problem(&["store", "from"], message))?
        }
        (Some(_), Some(_)) => {
            return Err(reader.problem(
                &["store", "from"],
                "`url` and `from` exclude each other: leave one out",
            ));
        }
        (None, None) => {
            return Err(reader.problem(
                &["store"],
                "missing key `url`: write where the store is, or `from = \"parseable\"`",
            ));
        }
    };
    settings.conditional_writes = match store.conditional_writes {
        Some(file::ConditionalWrites::BestEffort) => ConditionalWrites::BestEffort,
        Some(file::ConditionalWrites::Required) | None => ConditionalWrites::Required,
    };
    settings.max_in_flight = reader.at_least_one(
        &["store", "max_in_flight"],
        store.max_in_flight,
        settings.max_in_flight,
    )?;
    settings.requests_per_second = reader.at_least_one(
        &["store", "requests_per_second"],
        store.requests_per_second,
        settings.requests_per_second,
    )?;
    settings.burst = reader.at_least_one(&["store", "burst"], store.burst, settings.burst)?;
    let timeout = file.sync.as_ref().and_then(|sync| sync.attempt_timeout);
    settings.request_timeout = reader.positive(&["sync", "attempt_timeout"], timeout, 30)?;
    settings.ca_file = reader.ca_file(&["store", "ca_file"], store.ca_file.as_deref())?;
    for key in store.options.keys() {
        settings.names.note(key, format!("`store.options.{key}`"));
    }
    settings.options.extend(
        store
            .options
            .iter()
            .map(|(key, value)| (key.clone(), value.to_string())),
    );
    for (key, path) in &store.option_files {
        let place = ["store", "option_files", key.as_str()];
        if store.options.contains_key(key) {
            return Err(reader.problem(
                &place,
                format!("`{key}` is in [store.options] too: leave one out"),
            ));
        }
        let secret = read_secret(&reader.path(path)).map_err(|error| {
            reader.problem(&place, format!("can't read {}: {error}", path.display()))
        })?;
        settings.options.insert(key.clone(), secret);
        settings
            .names
            .note(key, format!("`store.option_files.{key}`"));
    }
    Ok(settings)
}

fn read_secret(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(MAX_SECRET)
        .read_to_string(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// What Parseable's own variables say, by their documentation for 2.9: `P_S3_URL`, `P_S3_BUCKET`, `P_S3_REGION`,
/// `P_S3_ACCESS_KEY`, `P_S3_SECRET_KEY`, `P_S3_PATH_STYLE`, `P_S3_TLS_SKIP_VERIFY`, `P_S3_SSEC_ENCRYPTION_KEY`.
fn parseable(env: &dyn Fn(&str) -> Option<String>) -> Result<StoreSettings, String> {
    let required = |name: &str| {
        env(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| format!("the environment has no {name}: set it, or write `url`"))
    };
    let mut options = BTreeMap::new();
    let endpoint = required("P_S3_URL")?;
    if endpoint.starts_with("http://") {
        options.insert("allow_http".to_owned(), "true".to_owned());
    }
    options.insert("endpoint".to_owned(), endpoint);
    options.insert("region".to_owned(), required("P_S3_REGION")?);
    for (variable, option) in [
        ("P_S3_ACCESS_KEY", "access_key_id"),
        ("P_S3_SECRET_KEY", "secret_access_key"),
    ] {
        options.extend(env(variable).map(|value| (option.to_owned(), value)));
    }
    let is_true = |name: &str| env(name).map(|value| value.eq_ignore_ascii_case("true"));
    if let Some(path_style) = is_true("P_S3_PATH_STYLE") {
        options.insert(
            "virtual_hosted_style_request".to_owned(),
            (!path_style).to_string(),
        );
    }
    if is_true("P_S3_TLS_SKIP_VERIFY") == Some(true) {
        options.insert("allow_invalid_certificates".to_owned(), "true".to_owned());
    }
    if let Some(key) = env("P_S3_SSEC_ENCRYPTION_KEY") {
        let key = key
            .strip_prefix("SSE-C:AES256:")
            .ok_or("P_S3_SSEC_ENCRYPTION_KEY is not `SSE-C:AES256:<key in base64>`")?;
        options.insert("aws_server_side_encryption".to_owned(), "sse-c".to_owned());
        options.insert("aws_sse_customer_key_base64".to_owned(), key.to_owned());
    }
    let mut settings = StoreSettings::new(format!("s3://{}", required("P_S3_BUCKET")?));
    settings.options = options;
    settings.names = SettingNames::parseable();
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<StoreSettings, String> {
        parseable(&|name| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_parseable_nodes_environment_names_its_store() {
        let mut variables = vec![
            ("P_S3_URL", "http://127.0.0.1:9000"),
            ("P_S3_BUCKET", "logs"),
            ("P_S3_REGION", "us-east-1"),
            ("P_S3_ACCESS_KEY", "key"),
            ("P_S3_SECRET_KEY", "secret"),
            ("P_S3_PATH_STYLE", "true"),
        ];
        let settings = from(&variables).unwrap();
        assert_eq!(settings.url, "s3://logs");
        assert_eq!(settings.options["endpoint"], "http://127.0.0.1:9000");
        assert_eq!(settings.options["allow_http"], "true");
        assert_eq!(settings.options["virtual_hosted_style_request"], "false");
        assert!(!format!("{settings:?}").contains("\"secret\""));
        variables.remove(1);
        assert!(from(&variables).unwrap_err().contains("P_S3_BUCKET"));
    }
}
