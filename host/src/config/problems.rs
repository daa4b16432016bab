//! Everything that is wrong with a file, not just what is met first.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use super::source::Problem;

/// Problems of one file, at least one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems {
    /// The first one in the file.
    pub first: Problem,
    /// The others.
    pub rest: Vec<Problem>,
}

impl Problems {
    /// All of them, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}

impl fmt::Display for Problems {
    /// Each as it displays itself, with a line between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        self.rest
            .iter()
            .try_for_each(|problem| write!(f, "\n\n{problem}"))
    }
}

impl From<Problem> for Problems {
    fn from(first: Problem) -> Self {
        Self {
            first,
            rest: Vec::new(),
        }
    }
}

/// Problems that are put aside, so that the rest of the file is looked at too.
#[derive(Debug, Default)]
pub(super) struct Found {
    problems: RefCell<Vec<Problem>>,
    /// Tables, and policies as `policies.NAME`, of which a part was left out, since it does not fit: their settings are
    /// not what is written.
    incomplete: RefCell<BTreeSet<String>>,
}

impl Found {
    /// What came of one part; a problem is put aside.
    pub(super) fn keep<T>(&self, part: Result<T, Problem>) -> Option<T> {
        part.map_err(|problem| self.problems.borrow_mut().push(problem))
            .ok()
    }

    /// Notes that a part of this table was left out.
    pub(super) fn left_out_of(&self, table: &str) {
        self.incomplete.borrow_mut().insert(table.to_owned());
    }

    /// How many problems were put aside.
    pub(super) fn count(&self) -> usize {
        self.problems.borrow().len()
    }

    /// Whether nothing was left out of these tables.
    pub(super) fn read_whole(&self, tables: &[&str]) -> bool {
        let incomplete = self.incomplete.borrow();
        !tables.iter().any(|table| incomplete.contains(*table))
    }

    /// What was put aside, if anything, in the order of the file.
    pub(super) fn into_problems(self) -> Option<Problems> {
        let mut found = self.problems.into_inner();
        found.sort_by_key(|problem| (problem.line, problem.column));
        let mut found = found.into_iter();
        Some(Problems {
            first: found.next()?,
            rest: found.collect(),
        })
    }
}
