//! C: bindings from the project's WIT, clang and wasm-ld, no C library but what the project brings.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use wit_bindgen_core::Files;

use super::{BuildError, Made, io_error};
use crate::author::contract::{Contract, ContractError};
use crate::author::tool::{self, Missing};
use crate::author::{component, strip};

/// The oldest clang, and the oldest linker, that are known to do.
const OLDEST: u32 = 14;

/// Where a project has its C files: its own, the few functions of a C library, and the bindings.
const SOURCES: [&str; 3] = ["src", "freestanding", BINDINGS];
/// Where the bindings are written.
const BINDINGS: &str = "bindings";
/// Where the object files go.
const OBJECTS: &str = "build";

/// No C library, small code; `memcpy` and its like are instructions.
const COMPILE: [&str; 13] = [
    "--target=wasm32-unknown-unknown",
    "-std=c11",
    "-Oz",
    "-flto",
    "-ffreestanding",
    "-nostdlibinc",
    "-mbulk-memory",
    "-msign-ext",
    "-ffunction-sections",
    "-fdata-sections",
    "-fvisibility=hidden",
    "-Wall",
    "-Wextra",
];

/// Only what is exported and what that needs. A stack that overflows traps, because nothing lies below it.
const LINK: [&str; 7] = [
    "--no-entry",
    "--gc-sections",
    "--strip-all",
    "--stack-first",
    "-z",
    "stack-size=16384",
    "-O2",
];

/// A compiler and the linker of the same release, which understands what the compiler writes.
struct Toolchain {
    clang: PathBuf,
    linker: PathBuf,
    version: u32,
}

pub(super) fn make(project: &Path) -> Result<Made, BuildError> {
    let toolchain = Toolchain::find()?;
    let contract = Contract::of_project(project)?;
    let types = bind(&contract, project)?;
    let objects = project.join(OBJECTS);
    std::fs::create_dir_all(&objects)
        .map_err(io_error(format!("create `{}`", objects.display())))?;
    let mut linked = vec![types];
    for source in sources(project)? {
        let object = objects.join(object_name(&source));
        let mut command = Command::new(&toolchain.clang);
        command.current_dir(project).args(COMPILE);
        for dir in SOURCES {
            command.args(["-I", dir]);
        }
        command.arg("-c").arg(&source).arg("-o").arg(&object);
        run(&mut command)?;
        linked.push(object);
    }
    let module = objects.join("module.wasm");
    let mut command = Command::new(&toolchain.linker);
    command
        .current_dir(project)
        .args(LINK)
        .args(linked)
        .arg("-o")
        .arg(&module);
    run(&mut command)?;
    let bytes = std::fs::read(&module).map_err(io_error("read what was linked"))?;
    let component =
        component::encode(&bytes).map_err(|error| BuildError::Component(error.into()))?;
    Ok(Made {
        // Of a small policy a fifth would be names.
        component: strip::without_custom_sections(&component).unwrap_or(component),
        by: format!("clang {}", toolchain.version),
    })
}

/// Writes what C needs to know of a project's world.
pub(in crate::author) fn write_bindings(project: &Path) -> Result<(), BuildError> {
    let contract = Contract::of_project(project)?;
    bind(&contract, project).map(drop)
}

/// Writes the bindings, and answers with the object file that carries the world's types into the module.
fn bind(contract: &Contract, project: &Path) -> Result<PathBuf, BuildError> {
    let mut resolve = contract.resolve.clone();
    let world = resolve.worlds.get(contract.world).cloned();
    let mut options = wit_bindgen_c::Opts::default();
    // `types_stream_facts_t` in the place of `tidegate_policy_types_stream_facts_t`.
    for (key, _) in world
        .iter()
        .flat_map(|world| world.imports.iter().chain(&world.exports))
    {
        let name = resolve.name_world_key(key);
        if let Some(interface) = name.strip_prefix("tidegate:policy/") {
            let interface = interface.split('@').next().unwrap_or(interface);
            let called = interface.replace('-', "_");
            options.rename.push((name, called));
        }
    }
    let mut files = Files::default();
    options
        .build()
        .generate(&mut resolve, contract.world, &mut files)
        .map_err(|error| ContractError::Wrong {
            dir: contract.dir.clone(),
            problem: format!("it makes no bindings: {error:#}"),
        })?;
    let dir = project.join(BINDINGS);
    let doing = format!("write the bindings into `{}`", dir.display());
    write(&dir, &files).map_err(io_error(doing))?;
    let types = format!(
        "{}_component_type.o",
        contract.world_name().replace('-', "_")
    );
    Ok(dir.join(types))
}

/// Writes what is not as it was, so that make has nothing to do where nothing changed.
fn write(dir: &Path, files: &Files) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    for (name, content) in files.iter() {
        let path = dir.join(name);
        if std::fs::read(&path).is_ok_and(|old| old == content) {
            continue;
        }
        std::fs::write(path, content)?;
    }
    Ok(())
}

/// All C files, relative to the project.
fn sources(project: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let mut sources = Vec::new();
    for dir in SOURCES {
        collect(project, Path::new(dir), &mut sources)
            .map_err(io_error(format!("read `{}`", project.join(dir).display())))?;
    }
    sources.sort();
    match sources.iter().any(|source| source.starts_with("src")) {
        true => Ok(sources),
        false => Err(BuildError::Shape(format!(
            "there is no C file in `{}`",
            project.join("src").display()
        ))),
    }
}

fn collect(project: &Path, dir: &Path, sources: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let entries = match project.join(dir).read_dir() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let path = dir.join(entry.file_name());
        if entry.path().is_dir() {
            collect(project, &path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "c") {
            sources.push(path);
        }
    }
    Ok(())
}

/// `src/a/b.c` makes `src-a-b.c.o`: files of one name in several directories don't meet.
fn object_name(source: &Path) -> OsString {
    let mut name = OsString::new();
    for part in source {
        if !name.is_empty() {
            name.push("-");
        }
        name.push(part);
    }
    name.push(".o");
    name
}

fn run(command: &mut Command) -> Result<(), BuildError> {
    let tool = tool::called(command.get_program());
    let status = tool::run(command).map_err(io_error(format!("run {tool}")))?;
    match status.success() {
        true => Ok(()),
        false => Err(BuildError::Compile { tool, status }),
    }
}

impl Toolchain {
    /// The machine's `clang`, or the newest `clang-N` that has its linker.
    fn find() -> Result<Self, Missing> {
        let compilers = candidates("clang");
        if compilers.is_empty() {
            return Err(Missing::new(
                format!("there is no clang of version {OLDEST} or newer"),
                &["apt-get update && apt-get install -y --no-install-recommends clang lld"],
            ));
        }
        let linkers = candidates("wasm-ld");
        for (version, clang) in &compilers {
            if let Some((_, linker)) = linkers.iter().find(|(linker, _)| linker == version) {
                return Ok(Self {
                    clang: clang.clone(),
                    linker: linker.clone(),
                    version: *version,
                });
            }
        }
        let version = compilers.first().map_or(OLDEST, |(version, _)| *version);
        Err(Missing::new(
            format!(
                "there is clang {version}, and no wasm-ld of the same version to link what it compiles"
            ),
            &[&format!(
                "apt-get update && apt-get install -y --no-install-recommends lld-{version}"
            )],
        ))
    }
}

/// The programs of this name that are new enough: the plain one first, then numbered ones, newest first.
fn candidates(name: &str) -> Vec<(u32, PathBuf)> {
    let plain =
        tool::find(name).and_then(|program| Some((tool::major_version(&program)?, program)));
    let numbered = tool::find_numbered(name);
    let mut programs: Vec<_> = plain.into_iter().chain(numbered).collect();
    programs.retain(|(version, _)| *version >= OLDEST);
    programs
}
