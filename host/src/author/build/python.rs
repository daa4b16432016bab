//! Python: the PyPI package componentize-py puts the sources into an interpreter, which is the component.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{BuildError, Made, io_error};
use crate::author::contract::Contract;
use crate::author::templates::COMPONENTIZE_PY;
use crate::author::tool::{self, Missing};

/// Where the sources are, and the module among them whose classes are the policy.
const SOURCES: &str = "src";
const MODULE: &str = "policy";

pub(super) fn make(project: &Path) -> Result<Made, BuildError> {
    let componentizer = find(project)?;
    let entry = project.join(SOURCES).join(MODULE).with_extension("py");
    if !entry.is_file() {
        return Err(BuildError::Shape(format!(
            "there is no `{}`, the module whose classes are the policy",
            entry.display()
        )));
    }
    let contract = Contract::of_project(project)?;
    let out = tempfile::tempdir().map_err(io_error("make a temporary directory"))?;
    let component = out.path().join("component.wasm");
    let mut command = Command::new(&componentizer);
    command
        .current_dir(project)
        .arg("--quiet")
        .arg("--wit-path")
        .arg(&contract.dir)
        .args(["--world", contract.world_name()])
        // Without `--stub-wasi`, which traps before the text of an exception is printed: the host seals WASI.
        .arg("componentize")
        .args(["--python-path", SOURCES])
        .arg("--output")
        .arg(&component)
        .arg(MODULE)
        // Of an error in the sources, the tool's own stack says nothing to their author.
        .env("RUST_BACKTRACE", "0")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let status = tool::run(&mut command).map_err(io_error("run componentize-py"))?;
    if !status.success() {
        return Err(BuildError::Compile {
            tool: "componentize-py".to_owned(),
            status,
        });
    }
    Ok(Made {
        component: std::fs::read(&component).map_err(io_error("read what was built"))?,
        by: tool::ask(Command::new(&componentizer).arg("--version"))
            .unwrap_or_else(|| "componentize-py".to_owned()),
    })
}

/// The project's own componentize-py, or the one on `PATH`.
fn find(project: &Path) -> Result<PathBuf, Missing> {
    let own = project.join(".venv/bin/componentize-py");
    if own.is_file() {
        return Ok(own);
    }
    tool::find("componentize-py").ok_or_else(|| {
        let at = project.display();
        let wanted = match project.join("requirements.txt").is_file() {
            true => format!("-r {at}/requirements.txt"),
            false => format!("componentize-py=={COMPONENTIZE_PY}"),
        };
        let install = format!("python3 -m venv {at}/.venv && {at}/.venv/bin/pip install {wanted}");
        let what =
            format!("there is no componentize-py, neither in `{at}/.venv` nor on the PATH");
        match tool::find("python3") {
            Some(_) => Missing::new(what, &[&install]),
            None => Missing::new(
                format!("{what}, and no python3 to get it by"),
                &[
                    "apt-get update && apt-get install -y --no-install-recommends python3 python3-venv",
                    &install,
                ],
            ),
        }
    })
}
