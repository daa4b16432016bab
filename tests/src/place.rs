//! An ingest node as its operator sees it: directories, a configuration file, and the `tidegate` command.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tidegate::storage::StoreSettings;

use crate::command::{NOBODY, Ran, command, is_superuser, tidegate, unprivileged};
use crate::node::policy_cache;

/// A node with the plain layout, a `file://` store and a configuration file; gone when dropped.
#[derive(Debug)]
pub struct Place {
    dir: TempDir,
}

impl Place {
    /// A place with nothing staged.
    pub fn new() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        for folder in ["staging", "store", "state"] {
            fs::create_dir(dir.path().join(folder))?;
        }
        let place = Self { dir };
        place.configure("")?;
        Ok(place)
    }

    /// The directory of it all.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A path in it.
    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// Writes the configuration, with more tables.
    pub fn configure(&self, tables: &str) -> Result<()> {
        let text = format!("{}\n{tables}", self.head()?);
        Ok(fs::write(self.path("tidegate.toml"), text)?)
    }

    /// What every configuration of it begins with.
    pub fn head(&self) -> Result<String> {
        let (store, cache) = (self.path("store"), policy_cache()?);
        let presence =
            "[policies.presence]\ncomponent = \"builtin:presence\"\nsettings = { settle = \"0s\" }";
        Ok(format!(
            "[node]\nid = \"n1\"\n[staging]\ndir = \"staging\"\nlayout = \"plain\"\n[store]\nurl = \"file://{}\"\n\
             [ledger]\npath = \"state/ledger.db\"\n[runtime]\ncache = \"{}\"\n{presence}",
            store.display(),
            cache.display(),
        ))
    }

    /// Writes a configuration with another store, and more tables behind its own.
    pub fn configure_store(&self, store: &StoreSettings, tables: &str) -> Result<()> {
        let head = self.head()?;
        let (before, rest) = head.split_once("url = ").context("no store")?;
        let (_, after) = rest.split_once("[ledger]").context("no ledger")?;
        let mut text = format!(
            "{before}url = \"{}\"\n{tables}\n[store.options]\n",
            store.url
        );
        for (key, value) in &store.options {
            text.push_str(&format!("{key} = \"{value}\"\n"));
        }
        text.push_str(&format!("[ledger]{after}"));
        Ok(fs::write(self.path("tidegate.toml"), text)?)
    }

    /// Stages a stream's schema.
    pub fn stage(&self, stream: &str, text: &str) -> Result<PathBuf> {
        let folder = self.path("staging").join(stream);
        fs::create_dir_all(&folder)?;
        let path = folder.join("schema.json");
        fs::write(&path, text)?;
        Ok(path)
    }

    /// Runs a command in it.
    pub fn run(&self, arguments: &[&str]) -> Result<Ran> {
        tidegate(self.dir.path(), arguments)
    }

    /// Runs a command as a user who may not read and write everything: as this one or, where this is the superuser, as
    /// nobody, to whom all of the place is given.
    pub fn run_unprivileged(&self, arguments: &[&str]) -> Result<Ran> {
        let mut command = self.unprivileged()?;
        let output = command.args(arguments).current_dir(self.dir()).output()?;
        Ok(output.into())
    }

    /// Starts a command as such a user, and does not wait for it.
    pub fn start_unprivileged(&self, arguments: &[&str]) -> Result<Started> {
        let mut command = self.unprivileged()?;
        Started::new(command.args(arguments).current_dir(self.dir()))
    }

    fn unprivileged(&self) -> Result<Command> {
        if is_superuser()? {
            give_away(self.dir())?;
        }
        unprivileged(self.dir())
    }

    /// Starts a command in it, and lets it go on.
    pub fn start(&self, arguments: &[&str]) -> Result<Started> {
        Started::new(command()?.args(arguments).current_dir(self.dir()))
    }

    /// Everything that stands in the store and in staging, with the content.
    pub fn everything(&self) -> Result<Vec<(PathBuf, Vec<u8>)>> {
        let mut found = Vec::new();
        let mut folders = vec![self.path("staging"), self.path("store")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                let kind = fs::symlink_metadata(&path)?;
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() && kind.len() < 1 << 20 {
                    let content = fs::read(&path)?;
                    found.push((path, content));
                } else {
                    found.push((
                        path,
                        format!("{:?} of {}", kind.file_type(), kind.len()).into(),
                    ));
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Runs a command that is to be refused with this code and all these parts of a message, and to change nothing.
    pub fn refused(&self, arguments: &[&str], code: i32, parts: &[&str]) -> Result<()> {
        let before = self.everything()?;
        let ran = self.run(arguments)?;
        ensure!(ran.code == Some(code), "{ran:#?}");
        for part in parts {
            ensure!(ran.stderr.contains(part), "no `{part}` in {ran:#?}");
        }
        ensure!(!ran.stderr.contains("panicked"), "{ran:#?}");
        ensure!(self.everything()? == before, "something changed");
        Ok(())
    }
}

/// Gives a directory to nobody, with all that is in it.
fn give_away(path: &Path) -> Result<()> {
    lchown(path, Some(NOBODY), Some(NOBODY))?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give_away(&entry?.path())?;
        }
    }
    Ok(())
}

/// A command under way; killed when dropped.
#[derive(Debug)]
pub struct Started {
    process: Child,
    log: Lines<BufReader<ChildStderr>>,
}

impl Started {
    /// Starts the command.
    pub fn new(command: &mut Command) -> Result<Self> {
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = process.stderr.take().context("stderr is piped")?;
        Ok(Self {
            process,
            log: BufReader::new(log).lines(),
        })
    }

    /// Waits until it logs a line with all these words.
    pub fn logs(&mut self, words: &[&str]) -> Result<String> {
        let mut before = String::new();
        for line in &mut self.log {
            let line = line?;
            if words.iter().all(|word| line.contains(word)) {
                return Ok(line);
            }
            before.push_str(&line);
            before.push('\n');
        }
        anyhow::bail!("it ended without {words:?}:\n{before}")
    }

    /// Sends it a signal, such as `TERM`.
    pub fn signal(&self, name: &str) -> Result<()> {
        let signal = format!("-{name}");
        let sent = Command::new("kill")
            .args([&signal, &self.process.id().to_string()])
            .status()?;
        ensure!(sent.success(), "no signal was sent");
        Ok(())
    }

    /// The exit code with which it ends; none when a signal ended it.
    pub fn ends(&mut self) -> Result<Option<i32>> {
        // Read to its end, lest it waits for a reader.
        (&mut self.log).for_each(drop);
        Ok(self.process.wait()?.code())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Mounts a file system of its own over a folder; none where this user may not.
#[derive(Debug)]
pub struct Mounted(PathBuf);

impl Mounted {
    /// One in memory, with these options of `mount`.
    pub fn tmpfs(path: PathBuf, options: &str) -> Result<Option<Self>> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(&path)
            .output()?;
        if !mounted.status.success() {
            eprintln!(
                "SKIPPED: this user may not mount: {}",
                String::from_utf8_lossy(&mounted.stderr)
            );
            return Ok(None);
        }
        Ok(Some(Self(path)))
    }

    /// Changes its options.
    pub fn remount(&self, options: &str) -> Result<()> {
        let options = format!("remount,{options}");
        ensure!(
            Command::new("mount")
                .args(["-o", &options])
                .arg(&self.0)
                .status()?
                .success()
        );
        Ok(())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A mount that stays would keep the temporary directory; nothing better can be done here.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
