//! The files of a new project, as this program carries them.
//!
//! A template is a file of its language. `{{name}}` stands for what is filled in, and lines between `@if` and `@end`, each in
//! a comment of its own, are kept where one of the words behind `@if` holds: a role, or a language.

use super::language::Language;
use super::name::PolicyName;
use super::sdk;
use crate::contract::Role;

/// The npm package that makes components of JavaScript, and one that it imports without depending on it; with the
/// versions that are known to do.
pub(super) const COMPONENTIZE_JS: [(&str, &str); 2] = [
    ("@bytecodealliance/componentize-js", "0.23.0"),
    ("@bytecodealliance/preview2-shim", "0.25.0"),
];
/// The version of the PyPI package componentize-py that is known to do.
pub(super) const COMPONENTIZE_PY: &str = "0.25.1";

/// A file of a project.
pub(super) struct Template {
    /// Where it goes, relative to the project.
    pub(super) path: &'static str,
    text: &'static str,
    /// The role that it is for; all, where it names none.
    role: Option<Role>,
}

macro_rules! templates {
    ($($path:literal from $file:literal $(for $role:ident)?),* $(,)?) => {
        &[$(Template {
            path: $path,
            text: include_str!(concat!("templates/", $file)),
            role: templates!(@role $($role)?),
        }),*]
    };
    (@role $role:ident) => { Some(Role::$role) };
    (@role) => { None };
}

/// What every project has.
const SHARED: &[Template] = templates![
    "README.md" from "README.md",
    ".gitignore" from "gitignore",
    "scenarios/data-without-a-schema.toml" from "scenarios/existence.toml" for Existence,
    "scenarios/schema-that-does-not-come.toml" from "scenarios/fallback.toml" for Fallback,
    "scenarios/outage.toml" from "scenarios/retry.toml" for Retry,
];

const WORLD: &[Template] = templates!["wit/world.wit" from "wit/world.wit"];

const RUST: &[Template] = templates![
    "Cargo.toml" from "rust/manifest.toml",
    "src/lib.rs" from "rust/src/lib.rs",
    "src/tests.rs" from "rust/src/tests.rs",
];

const JAVASCRIPT: &[Template] = templates![
    "package.json" from "js/package.json",
    "src/logic.js" from "js/src/logic.js",
    "src/policy.js" from "js/src/policy.js",
    "src/settings.js" from "js/src/settings.js",
    "test/logic.test.js" from "js/test/logic.test.js",
];

const PYTHON: &[Template] = templates![
    "pyproject.toml" from "python/pyproject.toml",
    "requirements.txt" from "python/requirements.txt",
    "src/logic.py" from "python/src/logic.py",
    "src/policy.py" from "python/src/policy.py",
    "src/settings.py" from "python/src/settings.py",
    "tests/__init__.py" from "python/tests/__init__.py",
    "tests/test_logic.py" from "python/tests/test_logic.py",
];

const C: &[Template] = templates![
    "Makefile" from "c/Makefile",
    "freestanding/libc.c" from "c/freestanding/libc.c",
    "freestanding/stdlib.h" from "c/freestanding/stdlib.h",
    "freestanding/string.h" from "c/freestanding/string.h",
    "src/exports.c" from "c/src/exports.c",
    "src/logic.c" from "c/src/logic.c",
    "src/logic.h" from "c/src/logic.h",
    "src/settings.c" from "c/src/settings.c",
    "src/settings.h" from "c/src/settings.h",
    "test/logic_test.c" from "c/test/logic_test.c",
];

/// The templates of a project.
pub(super) fn of(language: Language, roles: &[Role]) -> impl Iterator<Item = &'static Template> {
    let own: [&[Template]; 2] = match language {
        Language::Rust => [RUST, &[]],
        Language::JavaScript => [WORLD, JAVASCRIPT],
        Language::Python => [WORLD, PYTHON],
        Language::C => [WORLD, C],
    };
    let all = SHARED.iter().chain(own.into_iter().flatten());
    all.filter(|template| template.role.is_none_or(|role| roles.contains(&role)))
}

impl Template {
    /// The file's content in a project of this name and these roles.
    pub(super) fn render(&self, name: &PolicyName, language: Language, roles: &[Role]) -> String {
        let holds =
            |word: &str| word == language.name() || roles.iter().any(|role| role.name() == word);
        let mut text = String::new();
        let mut keep = true;
        for line in self.text.split_inclusive('\n') {
            match directive(line) {
                Some(Directive::If(words)) => keep = words.split(' ').any(holds),
                Some(Directive::End) => keep = true,
                None if keep => text.push_str(line),
                None => {}
            }
        }
        let traits: Vec<String> = roles.iter().map(|role| format!("{role:?}")).collect();
        let roles: Vec<&str> = roles.iter().map(|role| role.name()).collect();
        for (placeholder, value) in [
            ("{{name}}", name.as_str()),
            ("{{roles}}", &roles.join(", ")),
            ("{{traits}}", &traits.join(", ")),
            ("{{sdk-version}}", sdk::VERSION),
            ("{{componentize-js}}", COMPONENTIZE_JS[0].1),
            ("{{preview2-shim}}", COMPONENTIZE_JS[1].1),
            ("{{componentize-py}}", COMPONENTIZE_PY),
        ] {
            text = text.replace(placeholder, value);
        }
        text.truncate(text.trim_end().len());
        if !text.is_empty() {
            text.push('\n');
        }
        text
    }
}

enum Directive<'a> {
    If(&'a str),
    End,
}

/// What a line says about the lines below it: a comment of any language with nothing else in it.
fn directive(line: &str) -> Option<Directive<'_>> {
    let words = line
        .trim()
        .trim_start_matches(['/', '#', '<', '!', '-', ' '])
        .trim_end_matches(['>', '-', ' ']);
    match words {
        "@end" => Some(Directive::End),
        words => words.strip_prefix("@if ").map(Directive::If),
    }
}
