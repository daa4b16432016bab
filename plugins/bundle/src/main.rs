//! Builds the guests into components and keeps their manifests.
//!
//! ```text
//! cargo run -p bundle                 build every guest, and write components and manifests where they are committed
//! cargo run -p bundle -- --check      compare manifests, components and sources; builds nothing
//! cargo run -p bundle -- --out DIR    build below DIR instead, and say which components came out the same
//! ```
//!
//! Components are committed so that neither `cargo install` nor the tests need a WebAssembly toolchain. A manifest beside
//! them holds the digest of each component and of the sources it was built from: `--check` fails when either moved on
//! without the other.

mod compiler;
mod component;
mod guests;
mod manifest;
mod sources;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;

use crate::compiler::Compiler;
use crate::guests::{SETS, Set};
use crate::manifest::{Component, Manifest};

/// Builds the guests into components and keeps their manifests.
#[derive(Parser)]
#[command(name = "bundle")]
struct Args {
    /// Compare the manifests with the sources and the committed components; build nothing
    #[arg(long, conflicts_with = "out")]
    check: bool,
    /// Build below this directory instead, and say which components came out as they are committed
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = if args.check {
        check()
    } else {
        build(args.out.as_deref())
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The repository that this tool was built in.
fn repository() -> Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .context("the repository that this tool was built in is gone; build it again")
}

fn check() -> Result<()> {
    let root = repository()?;
    let mut problems = Vec::new();
    for set in SETS {
        problems.extend(manifest::check(&root, set)?);
    }
    if problems.is_empty() {
        println!("components, manifests and sources agree");
        return Ok(());
    }
    bail!(
        "components, manifests and sources disagree:\n  {}\nbuild them again: `cargo run -p bundle` in plugins/, and \
         commit what it writes",
        problems.join("\n  ")
    );
}

fn build(out: Option<&Path>) -> Result<()> {
    let root = repository()?;
    let compiler = Compiler::find()?;
    println!("building with {compiler}");
    for set in SETS {
        let crates = set.guests.iter().filter(|guest| !guest.is_module());
        let modules = compiler.build(&root, set.workspace, crates.map(|guest| guest.name))?;
        write(&root, out.unwrap_or(&root), set, &modules, &compiler)?;
    }
    Ok(())
}

/// Writes a set's components and its manifest below `base`.
fn write(root: &Path, base: &Path, set: &Set, modules: &Path, compiler: &Compiler) -> Result<()> {
    let dir = base.join(set.dir);
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot create `{}`", dir.display()))?;
    let mut components = Vec::new();
    for guest in set.guests {
        let bytes = if guest.is_module() {
            component::from_text(root, guest.source)?
        } else {
            component::from_crate(&modules.join(format!("{}.wasm", guest.name.replace('-', "_"))))?
        };
        let component = Component::describe(root, set, guest, &bytes)?;
        let file = dir.join(&component.file);
        std::fs::write(&file, &bytes)
            .with_context(|| format!("cannot write `{}`", file.display()))?;
        println!(
            "{:>8} bytes  {}/{}{}",
            component.size,
            set.dir,
            component.file,
            if base == root {
                ""
            } else {
                compare(root, set, &component.file, &bytes)
            },
        );
        components.push(component);
    }
    Manifest::new(compiler.to_string(), components).write(&dir)
}

/// How a component that was built elsewhere relates to the committed one.
fn compare(root: &Path, set: &Set, file: &str, bytes: &[u8]) -> &'static str {
    match std::fs::read(root.join(set.dir).join(file)) {
        Ok(committed) if committed == bytes => "  same as committed",
        Ok(_) => "  differs from the committed one",
        Err(_) => "  is not committed",
    }
}
