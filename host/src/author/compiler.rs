use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::tool::{self, Missing};

/// What Rust policies are compiled for: no WASI, so no import besides the contract's.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// The compiler of the distribution, which brings the source of its standard library.
const SYSTEM: (&str, &str) = ("/usr/bin/rustc", "/usr/bin/cargo");

/// A Rust compiler that can build policies.
#[derive(Debug)]
pub(super) struct Compiler {
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
    /// The toolchain that is active in this directory if it has the target, else the distribution's compiler with the
    /// standard library's source.
    pub(super) fn find(dir: &Path) -> Result<Self, Missing> {
        let active = Self::probe(dir, PathBuf::from("rustc"), PathBuf::from("cargo"));
        if let Some(active) = active.filter(|compiler| !compiler.build_std) {
            return Ok(active);
        }
        // Building the standard library takes an unstable flag, which the distribution's compiler is asked to bear: its
        // source is made for exactly this version.
        let (rustc, cargo) = SYSTEM;
        Self::probe(dir, rustc.into(), cargo.into())
            .ok_or_else(|| missing(tool::find("rustup").is_some()))
    }

    /// This compiler, if it can build policies.
    fn probe(dir: &Path, rustc: PathBuf, cargo: PathBuf) -> Option<Self> {
        let ask = |args: &[&str]| {
            let mut command = Command::new(&rustc);
            clean(&mut command);
            tool::ask(command.args(args).current_dir(dir))
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

    /// `cargo build` for the target, in `dir`. These directories, with what each is called, stay out of what is built, so
    /// that it comes out the same elsewhere.
    pub(super) fn build(&self, dir: &Path, called: &[(&Path, &str)]) -> Command {
        let mut command = Command::new(&self.cargo);
        clean(&mut command);
        command
            .current_dir(dir)
            .env("RUSTC", &self.rustc)
            .env("CARGO_ENCODED_RUSTFLAGS", self.remap(called))
            .args(["build", "--release", "--lib", "--target", TARGET]);
        if self.build_std {
            command
                .env("RUSTC_BOOTSTRAP", "1")
                .arg("-Zbuild-std=std,panic_abort");
        }
        command
    }

    /// Flags that keep this machine's paths out of what is built.
    fn remap(&self, called: &[(&Path, &str)]) -> OsString {
        let cargo_home = std::env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(std::env::home_dir()?.join(".cargo")));
        let source = self.sysroot.join("lib/rustlib/src/rust");
        let places = cargo_home.iter().map(|home| (home.as_path(), "/cargo"));
        let places = places
            .chain(called.iter().copied())
            .chain([(source.as_path(), "/rust")]);
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
        flags
    }
}

/// What to install: first what fits the machine as it is.
fn missing(has_rustup: bool) -> Missing {
    let packages = "apt-get update && apt-get install -y --no-install-recommends rustc-web cargo-web rust-web-src \
                    rust-web-llvm lld-22";
    let rustup = format!("rustup target add {TARGET}");
    let what = format!("there is no Rust compiler for {TARGET}");
    match has_rustup {
        true => Missing::new(
            format!("{what} (the second command is for Debian, where rustup can't fetch it)"),
            &[&rustup, packages],
        ),
        false => Missing::new(format!("{what}, and no rustup to get it by"), &[packages]),
    }
}

/// Takes out of a command's environment what `cargo run` put there for this program, and flags meant for native builds.
fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let of_this_program = text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_");
        let for_native = matches!(
            &*text,
            "CARGO"
                | "LD_LIBRARY_PATH"
                | "RUSTFLAGS"
                | "CARGO_BUILD_TARGET"
                | "CARGO_TARGET_DIR"
                | "RUSTC_WRAPPER"
        );
        if of_this_program || for_native {
            command.env_remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_installs_a_compiler_fits_the_machine() {
        const RUSTUP: &str = "\n    rustup target add wasm32-unknown-unknown\n";
        const DEBIAN: &str =
            "--no-install-recommends rustc-web cargo-web rust-web-src rust-web-llvm lld-22\n";
        let with = missing(true).to_string();
        assert!(with.contains(RUSTUP) && with.contains(DEBIAN), "{with}");
        let without = missing(false).to_string();
        assert!(
            !without.contains(RUSTUP) && without.contains(DEBIAN),
            "{without}"
        );
    }
}
