//! Too many host calls, and arguments that are too large.

use crate::tidegate::policy::object_reader::{self, ReadError};
use crate::tidegate::policy::{log, staging, state};
use crate::{Outcome, mebibytes, number, text};

const KEY: &str = "app/.stream/.schema";

pub(crate) fn act(act: &str) -> Option<Outcome> {
    let key = text("key", KEY);
    Some(match act {
        "head-forever" => loop {
            let _ = object_reader::head(&key);
        },
        "list-forever" => loop {
            let _ = object_reader::list_objects(&text("key", "app/.stream/"), None, u32::MAX);
        },
        "stage-forever" => loop {
            let _ = staging::list_files();
        },
        "load-forever" => loop {
            let _ = state::load(state::Scope::ThisNode, "key");
        },
        "log-forever" => loop {
            log::write(log::Level::Info, "again and again and again and again");
        },
        "log-flood" => {
            for line in 0..number("count", 100_000) {
                log::write(log::Level::Info, &format!("line {line} of many"));
            }
            Outcome::Answer
        }
        "log-control" => {
            log::write(
                log::Level::Warn,
                "\x1b[2Jgone\r\nERROR forged line\0\u{202e}",
            );
            Outcome::Answer
        }
        "stop-at-budget" => {
            let mut calls = 0;
            while !matches!(object_reader::head(&key), Err(ReadError::BudgetExhausted)) {
                calls += 1;
            }
            Outcome::Report(format!("stopped after {calls} calls"))
        }
        "ignore-budget" => {
            while !matches!(object_reader::head(&key), Err(ReadError::BudgetExhausted)) {}
            let _ = state::load(state::Scope::ThisNode, "key");
            Outcome::Report("the host answered once more".to_owned())
        }
        "huge-log" => {
            log::write(log::Level::Info, &mebibytes(16));
            Outcome::Answer
        }
        "huge-key" => Outcome::Report(format!("{:?}", object_reader::head(&mebibytes(16)))),
        "huge-swap" => {
            let value = mebibytes(16);
            let swapped = state::swap(state::Scope::ThisNode, "key", None, Some(value.as_bytes()));
            Outcome::Report(format!("{swapped:?}"))
        }
        _ => return None,
    })
}
