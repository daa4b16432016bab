//! Where in a TOML text a key stands, and which key stands at a place.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The path to the key or value that takes exactly this part of the text: keys, with positions in arrays behind them
/// (`rules[0]`).
pub(super) fn path_of(text: &str, span: &Range<usize>) -> Option<Vec<String>> {
    let (table, _) = DeTable::parse_recoverable(text);
    let mut path = Vec::new();
    find_in_table(table.get_ref(), span, &mut path).then_some(path)
}

fn find_in_table(table: &DeTable<'_>, span: &Range<usize>, path: &mut Vec<String>) -> bool {
    table.iter().any(|(key, value)| {
        path.push(key.get_ref().to_string());
        let found = key.span() == *span || find_in_value(value, span, path);
        if !found {
            path.pop();
        }
        found
    })
}

fn find_in_value(
    value: &Spanned<DeValue<'_>>,
    span: &Range<usize>,
    path: &mut Vec<String>,
) -> bool {
    let inside = match value.get_ref() {
        DeValue::Table(table) => find_in_table(table, span, path),
        DeValue::Array(array) => array.iter().enumerate().any(|(at, item)| {
            let key = path.pop().unwrap_or_default();
            path.push(format!("{key}[{at}]"));
            let found = find_in_value(item, span, path);
            if !found {
                path.pop();
                path.push(key);
            }
            found
        }),
        _ => false,
    };
    inside || value.span() == *span
}

/// Takes out the key, value or item of an array that takes exactly this part of the text. Returns the key, which is empty
/// for an item.
pub(super) fn remove(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<String> {
    for (_, value) in table.iter_mut() {
        if let Some(key) = remove_below(value, span) {
            return Some(key);
        }
    }
    let (key, _) = table
        .iter()
        .find(|(key, value)| key.span() == *span || value.span() == *span)?;
    let key = key.get_ref().to_string();
    table.remove(key.as_str());
    Some(key)
}

fn remove_below(value: &mut Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<String> {
    match value.get_mut() {
        DeValue::Table(table) => remove(table, span),
        DeValue::Array(array) => {
            if let Some(key) = array.iter_mut().find_map(|item| remove_below(item, span)) {
                return Some(key);
            }
            array.iter().find(|item| item.span() == *span)?;
            *array = array
                .iter()
                .filter(|item| item.span() != *span)
                .cloned()
                .collect();
            Some(String::new())
        }
        _ => None,
    }
}

/// The part of the text that holds the value at this path; where the path leads to nothing, its last part that leads
/// to something. `None` when not even its first part does.
pub(super) fn span_of(text: &str, path: &[&str]) -> Option<Range<usize>> {
    let (table, _) = DeTable::parse_recoverable(text);
    let (first, rest) = path.split_first()?;
    let (key, mut value) = table.get_ref().get_key_value(*first)?;
    let mut key = Some(key);
    for part in rest {
        let below = match value.get_ref() {
            DeValue::Table(table) => table
                .get_key_value(*part)
                .map(|(key, value)| (Some(key), value)),
            DeValue::Array(array) => part
                .parse::<usize>()
                .ok()
                .and_then(|at| array.get(at))
                .map(|value| (None, value)),
            _ => None,
        };
        let Some((below_key, below_value)) = below else {
            break;
        };
        (key, value) = (below_key, below_value);
    }
    // Tables are best pointed at by their names: what they hold may be many lines long, or in several places.
    match (value.get_ref(), key) {
        (DeValue::Table(_), Some(key)) => Some(key.span()),
        _ => Some(value.span()),
    }
}
