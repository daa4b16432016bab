//! Where an author and an operator work with registries: a directory with a cache, a docker configuration, a component.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::LOGIN;
use crate::command::{Ran, binary, command};

/// The component that is pushed and pulled, by its file's name.
pub const NEVER: &str = "never.wasm";

/// A directory with the component of the bundled policy `never`; gone when dropped.
#[derive(Debug)]
pub struct Desk {
    dir: TempDir,
}

impl Desk {
    /// A desk without credentials, with an empty cache.
    pub fn new() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/bundled");
        fs::copy(bundled.join(NEVER), dir.path().join(NEVER))?;
        for folder in ["staging", "store", "docker"] {
            fs::create_dir(dir.path().join(folder))?;
        }
        symlink(binary()?, dir.path().join("tidegate"))?;
        Ok(Self { dir })
    }

    /// The directory of it all.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A path in it.
    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// The component's bytes.
    pub fn component(&self) -> Result<Vec<u8>> {
        Ok(fs::read(self.path(NEVER))?)
    }

    /// Runs the command here.
    pub fn run(&self, arguments: &[&str]) -> Result<Ran> {
        let mut command = command()?;
        command.args(arguments);
        self.ran(command)
    }

    /// Runs a script here, up to the first line that fails; `tidegate` is the command.
    pub fn shell(&self, script: &str) -> Result<Ran> {
        let mut command = Command::new("sh");
        command.env_clear().args(["-e", "-c", script]);
        self.ran(command)
    }

    fn ran(&self, mut command: Command) -> Result<Ran> {
        command
            .current_dir(self.dir())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("DOCKER_CONFIG", self.path("docker"))
            // Where the command is, and helpers of the docker configuration are.
            .env("PATH", format!("{}:/usr/bin:/bin", self.dir().display()));
        Ok(command.output().context("can't run the command")?.into())
    }

    /// Runs the command, which must succeed, and gives what it prints as JSON.
    pub fn json(&self, arguments: &[&str]) -> Result<serde_json::Value> {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let ran = self.run(&arguments)?;
        anyhow::ensure!(ran.code == Some(0), "{arguments:?}: {ran:?}");
        Ok(serde_json::from_str(&ran.stdout)?)
    }

    /// Writes the docker configuration: these credentials for this host.
    pub fn log_in(&self, host: &str, name: &str, password: &str) -> Result<()> {
        let text =
            serde_json::json!({ "auths": { host: { "username": name, "password": password } } });
        Ok(fs::write(
            self.path("docker/config.json"),
            text.to_string(),
        )?)
    }

    /// As [`Desk::log_in`], with the credentials that a [`Registry`](super::Registry) takes.
    pub fn log_in_rightly(&self, host: &str) -> Result<()> {
        self.log_in(host, LOGIN.0, LOGIN.1)
    }

    /// Writes `tidegate.toml`, whose fallback is this component, with more tables.
    pub fn configure(&self, component: &str, tables: &str) -> Result<()> {
        let text = format!(
            "[node]\nid = \"n1\"\n[staging]\ndir = \"staging\"\nlayout = \"plain\"\n[store]\nurl = \"file://{}\"\n\
             [policies.own]\ncomponent = \"{component}\"\n[sync]\nexistence = []\nfallback = [\"own\"]\nretry = []\nstart_jitter = \"0s\"\n{tables}",
            self.path("store").display()
        );
        Ok(fs::write(self.path("tidegate.toml"), text)?)
    }

    /// Every file of the cache with its content.
    pub fn cached(&self) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
        let mut files = BTreeMap::new();
        collect(&self.path("cache"), &mut files)?;
        // Compiled policies are kept beside the components.
        files.retain(|path, _| !path.components().any(|part| part.as_os_str() == "compiled"));
        Ok(files)
    }
}

fn collect(dir: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry?.path();
        match path.is_dir() {
            true => collect(&path, files)?,
            false => _ = files.insert(path.clone(), fs::read(&path)?),
        }
    }
    Ok(())
}
