//! JavaScript: the npm package componentize-js puts the sources into an engine, which is the component.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::{BuildError, Made, io_error};
use crate::author::contract::Contract;
use crate::author::templates::COMPONENTIZE_JS;
use crate::author::tool::{self, Missing};

/// Run by node, with the package at hand.
const SCRIPT: &str = include_str!("componentize.mjs");
/// The script's exit code when there is no package.
const NO_PACKAGE: i32 = 66;
/// The module whose exports are the policy, where package.json says nothing else.
const ENTRY: &str = "src/policy.js";

#[derive(Default, Deserialize)]
struct Package {
    main: Option<PathBuf>,
    #[serde(default, rename = "devDependencies")]
    dev_dependencies: serde_json::Map<String, serde_json::Value>,
}

pub(super) fn make(project: &Path) -> Result<Made, BuildError> {
    let node = tool::find("node").ok_or_else(|| {
        Missing::new(
            "there is no node, which runs componentize-js",
            &["apt-get update && apt-get install -y --no-install-recommends nodejs npm"],
        )
    })?;
    let path = project.join("package.json");
    let package: Package = std::fs::read(&path)
        .and_then(|text| Ok(serde_json::from_slice(&text)?))
        .map_err(io_error(format!("read `{}`", path.display())))?;
    let entry = package.main.clone().unwrap_or_else(|| ENTRY.into());
    if !project.join(&entry).is_file() {
        return Err(BuildError::Shape(format!(
            "there is no `{}`: `main` of package.json names the module whose exports are the policy",
            project.join(&entry).display()
        )));
    }
    let contract = Contract::of_project(project)?;
    let out = tempfile::tempdir().map_err(io_error("make a temporary directory"))?;
    let component = out.path().join("component.wasm");
    let mut command = Command::new(node);
    command
        .current_dir(project)
        .args(["--input-type=module", "-"])
        .arg(&entry)
        .arg(&contract.dir)
        .arg(contract.world_name())
        .arg(&component);
    let status = feed(&mut command).map_err(io_error("run node"))?;
    if status.code() == Some(NO_PACKAGE) {
        return Err(no_package(project, &package).into());
    }
    if !status.success() {
        return Err(BuildError::Compile {
            tool: "componentize-js".to_owned(),
            status,
        });
    }
    Ok(Made {
        component: std::fs::read(&component).map_err(io_error("read what was built"))?,
        by: "componentize-js".to_owned(),
    })
}

/// Runs node with the script as its input.
fn feed(command: &mut Command) -> std::io::Result<std::process::ExitStatus> {
    let mut node = command
        .stdin(Stdio::piped())
        .stdout(std::io::stderr())
        .stderr(Stdio::inherit())
        .spawn()?;
    if let Some(mut input) = node.stdin.take() {
        // Node that ends before it has read everything tells why by itself.
        let _ = input.write_all(SCRIPT.as_bytes());
    }
    node.wait()
}

fn no_package(project: &Path, package: &Package) -> Missing {
    let at = project.display();
    let named = |(name, _): &(&str, &str)| package.dev_dependencies.contains_key(*name);
    let install = match COMPONENTIZE_JS.iter().all(named) {
        true => format!("npm install --prefix {at}"),
        false => {
            let packages = COMPONENTIZE_JS.map(|(name, version)| format!("{name}@{version}"));
            let packages = packages.join(" ");
            format!("npm install --prefix {at} --save-dev --save-exact {packages}")
        }
    };
    let [(name, _), _] = COMPONENTIZE_JS;
    let what = format!("there is no whole {name}, neither in `{at}/node_modules` nor globally");
    match tool::find("npm") {
        Some(_) => Missing::new(what, &[&install]),
        None => Missing::new(
            format!("{what}, and no npm to get it by"),
            &[
                "apt-get update && apt-get install -y --no-install-recommends npm",
                &install,
            ],
        ),
    }
}
