//! Reads where nothing was granted, and reads that are too large.

use serde_json::Value;

use crate::tidegate::policy::object_reader::{self, ReadError};
use crate::tidegate::policy::staging::{self, StagingError};
use crate::{Outcome, number, setting, text};

/// Ways out of `app/.stream/`, the root of the stream `app` in the parseable layout.
const KEYS: &[&str] = &[
    "",
    "/",
    ".",
    "..",
    "/etc/passwd",
    "app/.stream/../../secret",
    "app/.stream/..",
    "app/.stream/./.schema",
    "app/.stream//.schema",
    "/app/.stream/.schema",
    "app/.stream/%2e%2e/%2e%2e/secret",
    "app/.stream/%2e%2e%2fsecret",
    "app%2f.stream%2f.schema",
    "app/.stream/..%2fsecret",
    "app/.stream/\0",
    "app/.stream/\\..\\..\\secret",
    "app/.stream/..\\secret",
    "app/.streams/.schema",
    "app",
    "App/.stream/.schema",
    "app2/.stream/.schema",
    "other/.stream/.schema",
    "other/.stream/.ingestor.n2.schema",
    "app\u{2215}.stream/.schema",
    "ap\u{0440}/.stream/.schema",
    "app/.stream/\u{ff0e}\u{ff0e}/secret",
    ".tidegate/canary",
    ".parseable.json",
    "file:///etc/passwd",
    "s3://other/app/.stream/.schema",
    "~/.aws/credentials",
];

/// Ways out of the stream's staging directory.
const FILES: &[&str] = &[
    "",
    ".",
    "..",
    "/",
    "/etc/passwd",
    "../ingestor.n1.json",
    "../other/.ingestor.n1.schema",
    "sub/../../ingestor.n1.json",
    "./.ingestor.n1.schema",
    "sub/file",
    "..\\ingestor.n1.json",
    "%2e%2e/ingestor.n1.json",
    "..%2fingestor.n1.json",
    "a\0b",
    "\u{ff0e}\u{ff0e}/ingestor.n1.json",
];

pub(crate) fn act(act: &str) -> Option<Outcome> {
    let key = text("key", "app/.stream/.schema");
    let file = text("file", ".ingestor.n1.schema");
    Some(Outcome::Report(match act {
        "climb" => tally(KEYS, |key| {
            worst([
                read(object_reader::head(key)),
                read(object_reader::get(key, 0, 100)),
                listed(key),
                listed(&format!("{key}/")),
            ])
        }),
        "climb-staging" => tally(FILES, |name| match staging::read_file(name, 0, 100) {
            Ok(_) => End::Something,
            Err(StagingError::NotFound) => End::Nothing,
            Err(StagingError::BudgetExhausted | StagingError::TooLarge(_)) => End::Something,
            Err(StagingError::Failed(_)) => End::Refused,
        }),
        "read" => {
            let keys = setting("keys");
            let keys = keys.as_array().into_iter().flatten();
            let looks = keys.filter_map(Value::as_str).map(look);
            looks.collect::<Vec<_>>().join("; ")
        }
        "list-everything" => tally(&["", "/", "app", "app/", "other/"], listed),
        "read-huge" => match object_reader::get(&key, number("offset", 0), u32::MAX) {
            Ok(content) => format!("{} bytes", content.bytes.len()),
            Err(error) => short(&error),
        },
        "read-huge-staged" => match staging::read_file(&file, number("offset", 0), u32::MAX) {
            Ok(bytes) => format!("{} bytes", bytes.len()),
            Err(error) => format!("{error:?}"),
        },
        "read-past-the-end" => match object_reader::get(&key, u64::MAX, u32::MAX) {
            Ok(content) => format!("{} bytes", content.bytes.len()),
            Err(error) => short(&error),
        },
        "list-staging" => match staging::list_files() {
            Ok(files) => files
                .into_iter()
                .map(|file| file.name)
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => format!("{error:?}"),
        },
        _ => return None,
    }))
}

/// What a way led to.
#[derive(PartialEq, PartialOrd)]
enum End {
    Refused,
    /// The host looked, and nothing was there: a way out that leads nowhere.
    Nothing,
    Something,
}

/// How many of the ways ended how, and which led to something.
fn tally(ways: &[&str], ends: impl Fn(&str) -> End) -> String {
    let (mut refused, mut nothing, mut found) = (0, 0, Vec::new());
    for way in ways {
        match ends(way) {
            End::Refused => refused += 1,
            End::Nothing => nothing += 1,
            End::Something => found.push(way),
        }
    }
    format!(
        "refused {refused}, nothing {nothing}, found {}: {found:?}",
        found.len()
    )
}

/// The worst that an operation on one of the ways gave.
fn worst<const N: usize>(ends: [End; N]) -> End {
    ends.into_iter().fold(
        End::Refused,
        |worst, end| if end > worst { end } else { worst },
    )
}

fn read<T>(read: Result<T, ReadError>) -> End {
    match read {
        Ok(_) | Err(ReadError::TooLarge(_)) => End::Something,
        Err(ReadError::NotFound | ReadError::Failed(_)) => End::Nothing,
        // A spent budget would hide what the host makes of the way: the decision needs a larger one.
        Err(ReadError::BudgetExhausted) => End::Something,
        Err(ReadError::NotGranted(_)) => End::Refused,
    }
}

fn listed(prefix: &str) -> End {
    match object_reader::list_objects(prefix, None, u32::MAX) {
        Ok(page) if page.entries.is_empty() => End::Nothing,
        other => read(other),
    }
}

/// What HEAD, GET and a listing of one key give.
fn look(key: &str) -> String {
    let head = match object_reader::head(key) {
        Ok(object) => format!("{} bytes", object.size),
        Err(error) => short(&error),
    };
    let get = match object_reader::get(key, 0, 100) {
        Ok(content) => format!("{} bytes", content.bytes.len()),
        Err(error) => short(&error),
    };
    let list = match object_reader::list_objects(key, None, 10) {
        Ok(page) => format!("{} objects", page.entries.len()),
        Err(error) => short(&error),
    };
    format!("{key:?}: head {head}, get {get}, list {list}")
}

fn short(error: &ReadError) -> String {
    match error {
        ReadError::NotGranted(_) => "not-granted".to_owned(),
        ReadError::NotFound => "not-found".to_owned(),
        ReadError::TooLarge(bound) => format!("too-large({bound})"),
        ReadError::BudgetExhausted => "budget-exhausted".to_owned(),
        ReadError::Failed(failure) => format!("failed({:?})", failure.kind),
    }
}
