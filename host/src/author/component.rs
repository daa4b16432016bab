use std::path::Path;

use anyhow::{Context, Result, bail};
use wit_component::{
    ComponentEncoder, DecodedWasm, StringEncoding, decode, embed_component_metadata,
};
use wit_parser::{Resolve, WorldItem};

/// The contract's package; roles are exported interfaces of it.
const PACKAGE: &str = "tidegate:policy/";

/// The component that a core module becomes. Imports that the module never calls are dropped.
pub(super) fn encode(module: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)?
        .encode()
}

/// A core module that is written by hand, with the metadata that bindings bring: what it is a component of.
pub(super) fn with_world(mut module: Vec<u8>, wit: &Path, world: &str) -> Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit)?;
    let world = resolve.select_world(&[package], Some(world))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    Ok(module)
}

/// The roles that a component fills, sorted: the names of the contract's interfaces that it exports, `lifecycle` aside.
pub(super) fn roles(component: &[u8]) -> Result<Vec<String>> {
    let (resolve, world) = match decode(component).context("no component")? {
        DecodedWasm::Component(resolve, world) => (resolve, world),
        DecodedWasm::WitPackage(..) => bail!("a WIT package and no component"),
    };
    let exports = resolve.worlds.get(world).map(|world| &world.exports);
    let mut roles: Vec<String> = exports
        .into_iter()
        .flat_map(|exports| exports.values())
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
    Ok(roles)
}
