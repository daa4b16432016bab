//! Docker's credential helpers: programs on this machine that print the credentials for a registry.

use std::io::{ErrorKind, Read, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use docker_credential::DockerCredential;
use serde::Deserialize;

use super::manifest::shown;
use crate::time::in_full;

/// Maximum output that is read from a helper, in bytes.
const MAX_OUTPUT: u64 = 64 << 10;
/// Interval at which a running helper is polled.
const TICK: Duration = Duration::from_millis(10);
/// How long the rest of a helper's output may take to arrive after the helper has ended.
const DRAIN: Duration = Duration::from_secs(1);

/// What every helper prints when it has nothing for a host.
const NOT_FOUND: &str = "credentials not found";

/// What a helper says about a host.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Credential(DockerCredential),
    /// It has no credentials for the host.
    Nothing,
}

/// Asks the helper of this name, `docker-credential-NAME`, for the credentials of `server`.
///
/// # Errors
///
/// Why there is no answer, with what the helper printed if it failed.
pub(super) fn ask(name: &str, server: &str, timeout: Duration) -> Result<Answer, String> {
    let program = format!("docker-credential-{name}");
    let spawned = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.map_err(|error| match error.kind() {
        // A script whose interpreter is missing is reported like a program that is missing.
        ErrorKind::NotFound => match on_path(&program) {
            Some(path) => format!(
                "`{}` can't be run: the interpreter that its first line names is not installed",
                path.display()
            ),
            None => format!("`{program}` is not on the PATH: install it"),
        },
        _ => format!("`{program}` can't be run: {error}"),
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper may answer without listening.
        let _ = stdin.write_all(server.as_bytes());
    }
    let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let Some(status) = wait(&mut child, timeout) else {
        // It may have ended just now; then there is nothing to stop.
        let _ = child.kill();
        let _ = child.wait();
        let timeout = in_full(timeout);
        return Err(format!(
            "`{program}` gave no answer within {timeout} and was stopped: run it by hand to see what it waits for, or \
             raise `registry.timeout`"
        ));
    };
    let text = |output: Option<Receiver<Vec<u8>>>| {
        let bytes = output.and_then(|output| output.recv_timeout(DRAIN).ok());
        bytes.unwrap_or_default()
    };
    let (stdout, stderr) = (text(stdout), text(stderr));
    if stdout.len() as u64 > MAX_OUTPUT {
        return Err(format!("`{program}` prints over {MAX_OUTPUT} bytes"));
    }
    match status.success() {
        true => credential(&stdout).ok_or_else(|| {
            format!("`{program}` does not print credentials as JSON: check its version")
        }),
        false => failed(&program, status, &stdout, &stderr),
    }
}

/// Where on the PATH a program is.
fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|path| path.is_file())
}

/// Reads what a helper prints, up to the bound, while it runs.
fn reader(pipe: Option<impl Read + Send + 'static>) -> Option<Receiver<Vec<u8>>> {
    let pipe = pipe?;
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // Half of what was printed is better than nothing.
        let _ = pipe.take(MAX_OUTPUT + 1).read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    Some(receiver)
}

/// Waits for a helper to end. `None` if it does not end in time.
fn wait(child: &mut Child, timeout: Duration) -> Option<ExitStatus> {
    let mut waited = Duration::ZERO;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if waited < timeout => std::thread::sleep(TICK),
            Ok(None) | Err(_) => return None,
        }
        waited += TICK;
    }
}

/// Interprets the failure of a helper: it has no credentials, or an error. By the protocol, the error is on stdout.
fn failed(
    program: &str,
    status: ExitStatus,
    stdout: &[u8],
    stderr: &[u8],
) -> Result<Answer, String> {
    let [stdout, stderr] = [stdout, stderr].map(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        shown(text.trim())
    });
    if stdout.contains(NOT_FOUND) {
        return Ok(Answer::Nothing);
    }
    let said = match (stdout.as_str(), stderr.as_str()) {
        ("", "") => "it printed nothing".to_owned(),
        (said, "") | ("", said) => said.to_owned(),
        (stdout, stderr) => format!("{stdout}; {stderr}"),
    };
    Err(format!("`{program}` failed ({status}): {said}"))
}

fn credential(stdout: &[u8]) -> Option<Answer> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Printed {
        username: String,
        secret: String,
    }
    let Printed { username, secret } = serde_json::from_slice(stdout).ok()?;
    Some(Answer::Credential(match username.as_str() {
        "<token>" => DockerCredential::IdentityToken(secret),
        _ => DockerCredential::UsernamePassword(username, secret),
    }))
}
