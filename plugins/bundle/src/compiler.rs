use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// What guests are compiled for: no WASI, so no import besides the contract's.
const TARGET: &str = "wasm32-unknown-unknown";

/// Where the guests' build artefacts go, relative to the repository: apart from those of native builds, which another
/// compiler may make.
const TARGET_DIR: &str = "plugins/target/guests";

const NO_COMPILER: &str = "\
no compiler for wasm32-unknown-unknown. With rustup:

    rustup target add wasm32-unknown-unknown

Without network but with Debian's packages, whose compiler brings the source of the standard library:

    apt-get update
    apt-get install -y --no-install-recommends rustc-web cargo-web rust-web-src rust-web-llvm lld-22";

/// A compiler that can build guests.
#[derive(Debug)]
pub(crate) struct Compiler {
    rustc: PathBuf,
    cargo: PathBuf,
    /// Its own account, such as `rustc 1.95.0 (…)`.
    version: String,
    sysroot: PathBuf,
    /// Whether it must build the standard library for the target first.
    build_std: bool,
}

impl fmt::Display for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.version)?;
        if self.build_std {
            f.write_str(", with its standard library from source")?;
        }
        Ok(())
    }
}

impl Compiler {
    /// The active toolchain if it has the target, else the distribution's compiler with the standard library's source.
    pub(crate) fn find() -> Result<Self> {
        let cargo = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
        let active = Self::probe(PathBuf::from("rustc"), cargo);
        if let Some(active) = active.filter(|compiler| !compiler.build_std) {
            return Ok(active);
        }
        // Building the standard library takes an unstable flag, which the distribution's compiler is asked to bear: its
        // source is made for exactly this version.
        Self::probe(
            PathBuf::from("/usr/bin/rustc"),
            PathBuf::from("/usr/bin/cargo"),
        )
        .context(NO_COMPILER)
    }

    /// This compiler, if it can build guests.
    fn probe(rustc: PathBuf, cargo: PathBuf) -> Option<Self> {
        let ask = |args: &[&str]| {
            let mut command = Command::new(&rustc);
            clean(&mut command);
            let output = command.args(args).output().ok()?;
            let text = String::from_utf8(output.stdout).ok()?;
            output.status.success().then(|| text.trim().to_owned())
        };
        let version = ask(&["--version"])?;
        let sysroot = PathBuf::from(ask(&["--print", "sysroot"])?);
        let libraries = PathBuf::from(ask(&["--print", "target-libdir", "--target", TARGET])?);
        let build_std = !libraries.is_dir();
        let source = sysroot.join("lib/rustlib/src/rust/library/Cargo.toml");
        (!build_std || source.is_file()).then_some(Self {
            rustc,
            cargo,
            version,
            sysroot,
            build_std,
        })
    }

    /// Builds these packages of a guests' workspace, and answers with the directory that holds the core modules.
    pub(crate) fn build<'a>(
        &self,
        root: &Path,
        workspace: &str,
        packages: impl Iterator<Item = &'a str>,
    ) -> Result<PathBuf> {
        let target_dir = root.join(TARGET_DIR);
        let mut command = Command::new(&self.cargo);
        clean(&mut command);
        command
            .current_dir(root.join(workspace))
            .env("RUSTC", &self.rustc)
            .env("CARGO_ENCODED_RUSTFLAGS", self.remap(root)?)
            .args([
                "build",
                "--locked",
                "--release",
                "--lib",
                "--target",
                TARGET,
            ])
            .arg("--target-dir")
            .arg(&target_dir);
        if self.build_std {
            command
                .env("RUSTC_BOOTSTRAP", "1")
                .arg("-Zbuild-std=std,panic_abort");
        }
        for package in packages {
            command.args(["--package", package]);
        }
        let status = command
            .status()
            .with_context(|| format!("cannot run `{}`", self.cargo.display()))?;
        if !status.success() {
            bail!("the guests do not compile ({status}); what the compiler says stands above");
        }
        Ok(target_dir.join(TARGET).join("release"))
    }

    /// Flags that keep this machine's paths out of the components, so that they come out the same elsewhere.
    fn remap(&self, root: &Path) -> Result<OsString> {
        let cargo_home = match std::env::var_os("CARGO_HOME") {
            Some(home) => PathBuf::from(home),
            None => std::env::home_dir()
                .context("neither CARGO_HOME nor a home directory is known")?
                .join(".cargo"),
        };
        let places = [
            (cargo_home.as_path(), "/cargo"),
            (root, "/tidegate"),
            (&self.sysroot.join("lib/rustlib/src/rust"), "/rust"),
        ];
        let mut flags = OsString::new();
        for (from, to) in places {
            if !flags.is_empty() {
                // Cargo's separator of encoded flags.
                flags.push("\x1f");
            }
            flags.push("--remap-path-prefix=");
            flags.push(from);
            flags.push("=");
            flags.push(to);
        }
        Ok(flags)
    }
}

/// Takes out of a command's environment what `cargo run` put there for this tool, and flags meant for native builds.
fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let of_this_tool = text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_");
        let for_native = matches!(
            &*text,
            "CARGO"
                | "LD_LIBRARY_PATH"
                | "RUSTFLAGS"
                | "CARGO_BUILD_TARGET"
                | "CARGO_TARGET_DIR"
                | "RUSTC_WRAPPER"
        );
        if of_this_tool || for_native {
            command.env_remove(name);
        }
    }
}
