use std::path::Path;

use anyhow::{Context, Result, bail};
use wit_component::{
    ComponentEncoder, DecodedWasm, StringEncoding, decode, embed_component_metadata,
};
use wit_parser::{Resolve, WorldId, WorldItem};

use crate::guests::MODULE_WORLD;

/// The contract's package; roles are exported interfaces of it.
const PACKAGE: &str = "tidegate:policy/";

/// Where the contract stands, relative to the repository.
const CONTRACT: &str = "wit/0.1";

/// The component that a crate's core module becomes. Imports that the module never calls are dropped.
pub(crate) fn from_crate(module: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(module)
        .with_context(|| format!("the build left no module at `{}`", module.display()))?;
    encode(&bytes).with_context(|| format!("cannot make a component of `{}`", module.display()))
}

/// The component that a core module becomes which is written by hand, without the metadata that bindings bring.
pub(crate) fn from_text(root: &Path, source: &str) -> Result<Vec<u8>> {
    let module = wat::parse_file(root.join(source))?;
    with_world(root, module)
        .and_then(|module| encode(&module))
        .with_context(|| format!("cannot make a component of `{source}`"))
}

fn with_world(root: &Path, mut module: Vec<u8>) -> Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(root.join(CONTRACT))?;
    let world = resolve.select_world(&[package], Some(MODULE_WORLD))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    Ok(module)
}

fn encode(module: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)?
        .encode()
}

/// The roles that a component fills, sorted: the names of the contract's interfaces that it exports, `lifecycle` aside.
pub(crate) fn roles(component: &[u8]) -> Result<Vec<String>> {
    let (resolve, world) = match decode(component).context("no component")? {
        DecodedWasm::Component(resolve, world) => (resolve, world),
        DecodedWasm::WitPackage(..) => bail!("a WIT package and no component"),
    };
    Ok(exports(&resolve, world))
}

fn exports(resolve: &Resolve, world: WorldId) -> Vec<String> {
    let mut roles: Vec<String> = resolve.worlds[world]
        .exports
        .values()
        .filter_map(|item| match item {
            WorldItem::Interface { id, .. } => resolve.id_of(*id),
            _ => None,
        })
        .filter_map(|name| {
            let name = name.strip_prefix(PACKAGE)?;
            Some(name.split('@').next()?.to_owned())
        })
        .filter(|name| name != "lifecycle")
        .collect();
    roles.sort();
    roles
}
