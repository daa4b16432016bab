//! The docker configuration: where credentials for registries are.

use std::path::{Path, PathBuf};
use std::time::Duration;

use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};
use serde_json::Value;

use super::error::RegistryError;
use super::helper::{self, Answer};

/// The names of Docker's own registry, and of its entry in the docker configuration.
const DOCKER_HUB: (&str, &str) = ("docker.io", "https://index.docker.io/v1/");

/// The credentials that the docker configuration has for the host, those of its helpers included. A helper is stopped
/// after `timeout`.
pub(super) async fn credential(
    host: &str,
    timeout: Duration,
) -> Result<Option<DockerCredential>, RegistryError> {
    let Some(file) = configuration().filter(|file| file.exists()) else {
        return Ok(None);
    };
    let server = match host {
        host if host == DOCKER_HUB.0 => DOCKER_HUB.1.to_owned(),
        host => host.to_owned(),
    };
    // A helper is a process that is waited for.
    let found = tokio::task::spawn_blocking(move || of_file(&file, &server, timeout)).await;
    found
        .map_err(|error| error.to_string())
        .and_then(|found| found)
        .map_err(|why| RegistryError::Credentials {
            host: host.to_owned(),
            why,
        })
}

/// `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`.
fn configuration() -> Option<PathBuf> {
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker"));
    let directory = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    Some(directory.or_else(home)?.join("config.json"))
}

fn of_file(
    file: &Path,
    server: &str,
    timeout: Duration,
) -> Result<Option<DockerCredential>, String> {
    let shown = file.display();
    let text = std::fs::read(file).map_err(|error| format!("can't read {shown}: {error}"))?;
    let mut document: Value = serde_json::from_slice(&text)
        .map_err(|error| format!("{shown} is not valid JSON: {error}"))?;
    let helped = |key: &str, name: &str| {
        let answer = helper::ask(name, server, timeout)
            .map_err(|why| format!("the helper {why} (`{key}` in {shown} names it)"))?;
        Ok(match answer {
            Answer::Credential(credential) => Some(credential),
            Answer::Nothing => None,
        })
    };
    let own = document.pointer("/credHelpers");
    let own = own.and_then(|helpers| helpers.get(server)?.as_str());
    if let Some(name) = own.filter(|name| !name.is_empty()) {
        return helped("credHelpers", name);
    }
    let store = document.get_mut("credsStore").map(Value::take);
    // Without helpers, so that none is run without bounds.
    if let Some(keys) = document.as_object_mut() {
        keys.remove("credHelpers");
        keys.remove("credsStore");
    }
    match get_credential_from_reader(document.to_string().as_bytes(), server) {
        Ok(credential) => Ok(Some(credential)),
        Err(CredentialRetrievalError::NoCredentialConfigured) => {
            match store.as_ref().and_then(Value::as_str) {
                Some(name) if !name.is_empty() => helped("credsStore", name),
                _ => Ok(None),
            }
        }
        Err(CredentialRetrievalError::ConfigReadError) => Err(format!(
            "{shown} does not have the form of a docker configuration"
        )),
        Err(error) => Err(format!("{shown}: {error}")),
    }
}
