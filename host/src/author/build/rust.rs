//! Rust: cargo makes a core module, which becomes a component here.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;

use super::{BuildError, Made, io_error};
use crate::author::compiler::Compiler;
use crate::author::component;

/// What cargo tells about a file that it made.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

pub(super) fn make(project: &Path) -> Result<Made, BuildError> {
    let compiler = Compiler::find(project)?;
    let mut command = compiler.build(project, &[(project, "/policy")]);
    command.arg("--message-format=json-render-diagnostics");
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(io_error("run cargo"))?;
    if !output.status.success() {
        return Err(BuildError::Compile {
            tool: "cargo".to_owned(),
            status: output.status,
        });
    }
    let module = module(&output.stdout, &project.join("Cargo.toml")).ok_or_else(|| {
        BuildError::Shape(
            "the crate makes no module: write `crate-type = [\"cdylib\"]` into `[lib]` of its Cargo.toml".to_owned(),
        )
    })?;
    let doing = format!("read `{}`", module.display());
    let module = std::fs::read(&module).map_err(io_error(doing))?;
    let component =
        component::encode(&module).map_err(|error| BuildError::Component(error.into()))?;
    Ok(Made {
        component,
        by: compiler.to_string(),
    })
}

/// The core module that cargo's messages name for this crate.
fn module(messages: &[u8], manifest: &Path) -> Option<PathBuf> {
    String::from_utf8_lossy(messages)
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| {
            message.reason == "compiler-artifact" && message.manifest_path == manifest
        })
        .flat_map(|message| message.filenames)
        .find(|file| {
            file.extension()
                .is_some_and(|extension| extension == "wasm")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crates_own_module_is_found_among_cargos_messages() {
        let messages = [
            r#"{"reason":"compiler-artifact","manifest_path":"/dep/Cargo.toml","filenames":["/t/dep.wasm"]}"#,
            r#"{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","filenames":["/t/p.rlib","/t/p.wasm"]}"#,
            r#"{"reason":"build-finished","success":true}"#,
            "no JSON",
        ]
        .join("\n");
        let found = |manifest: &str| module(messages.as_bytes(), Path::new(manifest));
        assert_eq!(found("/p/Cargo.toml"), Some("/t/p.wasm".into()));
        assert_eq!(found("/q/Cargo.toml"), None);
    }
}
