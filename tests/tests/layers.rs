//! The host's modules import from their left, never from their right, as `host/docs/architecture.md` documents.
//!
//! Files are taken as tokens, so comments and strings don't count; what is compiled for tests only may import anything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

const PAGE: &str = "../host/docs/architecture.md";
const SOURCE: &str = "../host/src";

/// Top-level modules by the number of their layer, from the left.
type Order = BTreeMap<String, usize>;

/// A mention of something at the crate's root.
#[derive(Debug, PartialEq, Eq)]
struct Import {
    file: PathBuf,
    line: usize,
    /// The top-level module that imports.
    from: String,
    to: String,
}

/// A module's place: its own names from the root on, and the file it stands in.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a [String],
    file: &'a Path,
    /// Where the files of its child modules are.
    children: &'a Path,
}

/// The order as the page has it: layers with `→` between them, modules of one layer with `,`.
fn documented_order() -> Result<Order> {
    let page = std::fs::read_to_string(PAGE).context(PAGE)?;
    let (_, below) = page
        .split_once("\n## Layers\n")
        .context("no heading `Layers`")?;
    let line = below
        .lines()
        .find(|line| line.contains('→'))
        .context("no line of layers")?;
    let layers = line.split('→').enumerate();
    let modules = layers.flat_map(|(at, names)| names.split(',').map(move |name| (name, at)));
    Ok(modules
        .map(|(name, at)| (name.trim().to_owned(), at))
        .collect())
}

/// The top-level modules, and every import of the whole crate.
fn walk_host() -> Result<(Vec<String>, Vec<Import>)> {
    let root = Place {
        path: &[],
        file: &Path::new(SOURCE).join("lib.rs"),
        children: Path::new(SOURCE),
    };
    let mut imports = Vec::new();
    let modules = walk_file(root, &mut imports)?;
    Ok((modules, imports))
}

/// Notes what the file imports, and those of its child modules; answers with the names of the children.
fn walk_file(place: Place<'_>, imports: &mut Vec<Import>) -> Result<Vec<String>> {
    let name = place.file.display();
    let text = std::fs::read_to_string(place.file).with_context(|| name.to_string())?;
    let tokens = text.parse().map_err(|error| anyhow!("{name}: {error}"))?;
    walk(tokens, place, imports)
}

fn walk(tokens: TokenStream, place: Place<'_>, imports: &mut Vec<Import>) -> Result<Vec<String>> {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut children = Vec::new();
    let mut rest = trees.as_slice();
    while let Some((first, behind)) = rest.split_first() {
        rest = match rest {
            [
                TokenTree::Punct(hash),
                TokenTree::Group(attribute),
                item @ ..,
            ] if hash.as_char() == '#' && is_test_only(&attribute.stream()) => behind_item(item),
            [keyword, TokenTree::Ident(name), body, behind @ ..] if is(keyword, "mod") => {
                children.push(name.to_string());
                walk_child(&name.to_string(), body, place, imports)?;
                behind
            }
            _ if is(first, "crate") || is(first, "super") => match path_to_root(rest, place) {
                Some(behind) => {
                    note(behind, place, imports);
                    behind
                }
                None => behind,
            },
            _ => {
                if let TokenTree::Group(group) = first {
                    walk(group.stream(), place, imports)?;
                }
                behind
            }
        };
    }
    Ok(children)
}

/// A module that begins here (`mod name { … }`), or that stands in a file of its own (`mod name;`).
fn walk_child(
    name: &str,
    body: &TokenTree,
    parent: Place<'_>,
    imports: &mut Vec<Import>,
) -> Result<()> {
    let children = &parent.children.join(name);
    let place = Place {
        path: &[parent.path, &[name.to_owned()]].concat(),
        children,
        ..parent
    };
    if let TokenTree::Group(body) = body {
        walk(body.stream(), place, imports)?;
        return Ok(());
    }
    let beside = children.with_extension("rs");
    let inside = children.join("mod.rs");
    let file = if beside.is_file() { &beside } else { &inside };
    walk_file(Place { file, ..place }, imports)?;
    Ok(())
}

/// What stands behind `crate::`, or behind as many `super::` as lead to the root.
fn path_to_root<'a>(mut tokens: &'a [TokenTree], place: Place<'_>) -> Option<&'a [TokenTree]> {
    let mut above = place.path.len();
    while let [
        first,
        TokenTree::Punct(one),
        TokenTree::Punct(two),
        behind @ ..,
    ] = tokens
        && (one.as_char(), two.as_char()) == (':', ':')
    {
        above = match () {
            () if is(first, "crate") => 0,
            () if is(first, "super") => above.checked_sub(1)?,
            () => return None,
        };
        if above == 0 {
            return Some(behind);
        }
        tokens = behind;
    }
    None
}

/// Notes the names that a path at the root goes on with: one, or those at the front of a group's paths.
fn note(behind: &[TokenTree], place: Place<'_>, imports: &mut Vec<Import>) {
    // The root itself may hand on whatever it likes.
    let Some(from) = place.path.first() else {
        return;
    };
    let names: Vec<TokenTree> = match behind.first() {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            let inside: Vec<_> = group.stream().into_iter().collect();
            inside
                .split(|tree| matches!(tree, TokenTree::Punct(comma) if comma.as_char() == ','))
                .filter_map(|path| path.first().cloned())
                .collect()
        }
        other => other.cloned().into_iter().collect(),
    };
    for name in names {
        imports.push(Import {
            file: place.file.to_owned(),
            line: name.span().start().line,
            from: from.clone(),
            to: name.to_string(),
        });
    }
}

/// What stands behind an item whose attribute was just read: it ends with a block or a semicolon.
fn behind_item(item: &[TokenTree]) -> &[TokenTree] {
    let end = item.iter().position(|tree| match tree {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(end) => end.as_char() == ';',
        _ => false,
    });
    end.and_then(|end| item.get(end + 1..)).unwrap_or_default()
}

fn is(tree: &TokenTree, word: &str) -> bool {
    matches!(tree, TokenTree::Ident(ident) if ident == word)
}

fn is_test_only(attribute: &TokenStream) -> bool {
    attribute.to_string().replace(' ', "") == "cfg(test)"
}

/// What is wrong with the import, in words with its arrow.
fn complaint(import: &Import, order: &Order) -> Option<String> {
    let Import {
        file,
        line,
        from,
        to,
    } = import;
    let why = match (order.get(from), order.get(to)) {
        _ if from == to => return None,
        (Some(own), Some(other)) if other < own => return None,
        (Some(own), Some(other)) if other == own => "modules of one layer don't know each other",
        (Some(_), Some(_)) => "it points to the right",
        (Some(_), None) => "no layer has that name",
        (None, _) => "its own module has no layer",
    };
    let file = file.strip_prefix("..").unwrap_or(file).display();
    Some(format!("{file}:{line}: {from} → {to}: {why}"))
}

/// All that is wrong with the imports.
fn complaints(imports: &[Import]) -> Result<Vec<String>> {
    let order = documented_order()?;
    let complaints = imports
        .iter()
        .filter_map(|import| complaint(import, &order));
    Ok(complaints.collect())
}

#[test]
fn no_import_points_to_the_right() -> Result<()> {
    let (_, imports) = walk_host()?;
    ensure!(
        imports.len() > 100,
        "only {} imports were found",
        imports.len()
    );
    let complaints = complaints(&imports)?;
    ensure!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    Ok(())
}

#[test]
fn the_layers_are_the_modules() -> Result<()> {
    let (mut modules, _) = walk_host()?;
    modules.sort();
    let documented: Vec<_> = documented_order()?.into_keys().collect();
    assert_eq!(documented, modules);
    Ok(())
}

#[test]
fn arrows_are_found_wherever_they_stand() -> Result<()> {
    let text = r#"
        //! crate::ledger is told about in a comment,
        use crate::time::Clock;
        use crate::{contract::Facts, sync};
        const TEXT: &str = "crate::ledger";
        #[cfg(test)]
        mod tests {
            use crate::ledger::Ledger;
        }
        #[cfg(test)]
        use crate::ledger::Ledger;
        mod inner {
            use super::super::policy::Policy;
            use super::Sibling;
            fn call() { tracing::info!("{}", crate::schema::Schema::empty()); }
        }
        fn last(of: crate::nowhere::Thing) {}
    "#;
    let path = ["storage".to_owned()];
    let place = Place {
        path: &path,
        file: Path::new("storage.rs"),
        children: Path::new("storage"),
    };
    let mut imports = Vec::new();
    let tokens = text.parse().map_err(|error| anyhow!("{error}"))?;
    walk(tokens, place, &mut imports)?;
    assert_eq!(
        complaints(&imports)?,
        [
            "storage.rs:4: storage → sync: it points to the right",
            "storage.rs:13: storage → policy: it points to the right",
            "storage.rs:15: storage → schema: modules of one layer don't know each other",
            "storage.rs:17: storage → nowhere: no layer has that name",
        ]
    );
    Ok(())
}
