//! `tidegate policy new`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::super::{CommandError, SETTLED};
use crate::author::{Language, PolicyName, scaffold};
use crate::contract::Role;

/// Make a project for a policy.
#[derive(Debug, Args)]
pub(super) struct New {
    /// What the policy is called, in lower-case words joined by `-`; the project's directory is called the same
    #[arg(value_name = "NAME")]
    name: PolicyName,
    /// What it decides: "existence", "fallback", "retry", or several of them, joined by commas
    #[arg(long = "role", value_name = "ROLE", required = true, value_delimiter = ',', value_parser = role)]
    roles: Vec<Role>,
    /// What it is written in: "rust", "js", "python" or "c"
    #[arg(long = "lang", value_name = "LANG")]
    language: Language,
    /// Where the project's directory goes
    #[arg(long, value_name = "PARENT", default_value = ".")]
    dir: PathBuf,
}

fn role(text: &str) -> Result<Role, String> {
    Role::ALL
        .into_iter()
        .find(|role| role.name() == text)
        .ok_or_else(|| {
            let names = Role::ALL.map(Role::name).join(", ");
            format!(
                "no role is called `{}`: there are {names}",
                text.escape_debug()
            )
        })
}

impl New {
    pub(super) fn run(self) -> Result<u8, CommandError> {
        let roles: Vec<Role> = Role::ALL
            .into_iter()
            .filter(|role| self.roles.contains(role))
            .collect();
        let project = scaffold(&self.dir, &self.name, self.language, &roles)?;
        let (install, test) = match self.language {
            Language::Rust => (None, "cargo test"),
            Language::JavaScript => (Some("npm install"), "node --test"),
            Language::Python => (
                Some("python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"),
                "python3 -m unittest",
            ),
            Language::C => (None, "make test"),
        };
        let project = project.display();
        let mut text = format!("{project}: a policy that builds; its README.md leads on\n\n");
        for (command, why) in [
            (Some(format!("cd {project}")), ""),
            (
                install.map(str::to_owned),
                "the tool that makes the component",
            ),
            (Some(test.to_owned()), "its logic, natively"),
            (Some("tidegate policy build".to_owned()), "the component"),
            (
                Some("tidegate policy test scenarios".to_owned()),
                "the component, in worlds that are written down",
            ),
        ] {
            let Some(command) = command else { continue };
            text.push_str(&match why {
                "" => format!("  {command}\n"),
                why => format!("  {command:<32}  # {why}\n"),
            });
        }
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(SETTLED)
    }
}
