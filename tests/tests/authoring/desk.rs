//! Where somebody works who writes a policy.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Parser, Tag, TagEnd};
use serde_json::json;
use tempfile::TempDir;
use tidegate_tests::command::{Ran, command};

/// The variable that names the directory of the tools.
const TOOLS: &str = "TIDEGATE_TEST_AUTHORS";

/// The variable that names the registry.
const REGISTRY: &str = "TIDEGATE_TEST_REGISTRY";

/// A directory of somebody's own, who is logged in to the registry and has `tidegate` on the path.
pub(crate) struct Desk {
    dir: TempDir,
    tools: PathBuf,
    /// The registry's host and port.
    pub(crate) registry: String,
}

impl Desk {
    /// `None` where there are no tools, or no registry.
    pub(crate) fn new() -> Result<Option<Self>> {
        let (Some(tools), Some(registry)) = (env::var_os(TOOLS), env::var_os(REGISTRY)) else {
            return Ok(None);
        };
        let registry = registry.to_string_lossy().into_owned();
        let (login, registry) = registry
            .strip_prefix("http://")
            .and_then(|rest| rest.split_once('@'))
            .with_context(|| format!("{REGISTRY} is no http://NAME:PASSWORD@HOST:PORT"))?;
        let dir = tempfile::tempdir()?;
        let bin = dir.path().join("bin");
        fs::create_dir(&bin)?;
        symlink(command()?.get_program(), bin.join("tidegate"))?;
        let docker = dir.path().join(".docker");
        fs::create_dir(&docker)?;
        let (name, password) = login.split_once(':').context("no password")?;
        let auth = json!({ "username": name, "password": password });
        let config = json!({ "auths": { registry: auth } });
        fs::write(docker.join("config.json"), config.to_string())?;
        Ok(Some(Self {
            dir,
            tools: tools.into(),
            registry: registry.to_owned(),
        }))
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Links what is installed already into a project.
    pub(crate) fn link(&self, installed: &str, to: &Path) -> Result<()> {
        let from = fs::canonicalize(self.tools.join(installed))
            .with_context(|| format!("{TOOLS} has no {installed}"))?;
        Ok(symlink(from, to)?)
    }

    /// Runs a line of shell, in an environment that holds programs and nothing else.
    pub(crate) fn run(&self, dir: &Path, line: &str) -> Result<Ran> {
        let mut path = vec![self.dir.path().join("bin")];
        path.extend(env::split_paths(&env::var_os("PATH").context("no PATH")?));
        let mut command = Command::new("/bin/bash");
        command
            .args(["-c", line])
            .current_dir(dir)
            .env_clear()
            .env("PATH", env::join_paths(path)?)
            .env("HOME", self.dir.path())
            // Where the machine's own cargo and its crates are, and what it built before.
            .env("CARGO_TARGET_DIR", self.tools.join("cargo"));
        for name in ["CARGO_HOME", "RUSTUP_HOME", "CARGO_NET_OFFLINE"] {
            command.envs(env::var_os(name).map(|value| (name, value)));
        }
        if let Some(home) = env::home_dir() {
            for (name, dir) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
                if env::var_os(name).is_none() && home.join(dir).is_dir() {
                    command.env(name, home.join(dir));
                }
            }
        }
        Ok(command.output()?.into())
    }

    /// Runs a line of shell that must succeed.
    pub(crate) fn succeed(&self, dir: &Path, line: &str) -> Result<Ran> {
        let ran = self.run(dir, line)?;
        ensure!(
            ran.code == Some(0),
            "`{line}` ended with {:?}:\n{}{}",
            ran.code,
            ran.stdout,
            ran.stderr
        );
        Ok(ran)
    }
}

/// The code blocks of a page in one language, under a heading of the second level or under any: each with what stands
/// behind the language.
pub(crate) fn blocks(page: &str, section: Option<&str>, language: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let (mut heading, mut in_heading) = (String::new(), false);
    let mut block: Option<(String, String)> = None;
    for event in Parser::new(page) {
        match event {
            Event::Start(Tag::Heading {
                level: HeadingLevel::H2,
                ..
            }) => {
                heading.clear();
                in_heading = true;
            }
            Event::End(TagEnd::Heading(_)) => in_heading = false,
            Event::Text(text) if in_heading => heading.push_str(&text),
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info)))
                if section.is_none_or(|section| section == heading) =>
            {
                let (kind, rest) = info.split_once(' ').unwrap_or((&info, ""));
                block = (kind == language).then(|| (rest.to_owned(), String::new()));
            }
            Event::End(TagEnd::CodeBlock) => blocks.extend(block.take()),
            Event::Text(text) => {
                if let Some((_, content)) = &mut block {
                    content.push_str(&text);
                }
            }
            _ => {}
        }
    }
    blocks
}
