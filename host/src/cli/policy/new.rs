//! `tidegate policy new`.

use std::path::PathBuf;

use clap::Args;

use super::super::{CommandError, SETTLED, output};
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
        let project = project.display();
        let text =
            format!("{project}: a policy that builds; its README.md leads on\n\n  cd {project}\n");
        let text = text + &self.commands();
        output::print(&text)?;
        Ok(SETTLED)
    }

    /// What to do with the project, a command a line.
    fn commands(&self) -> String {
        let (install, test): (&[&str], &str) = match self.language {
            Language::Rust => (&[], "cargo test"),
            Language::JavaScript => (&["npm install"], "node --test"),
            Language::Python => (
                &[
                    "python3 -m venv .venv",
                    ".venv/bin/pip install -r requirements.txt",
                ],
                "python3 -m unittest",
            ),
            Language::C => (&[], "make test"),
        };
        let install = install.iter().map(|command| (*command, "to build with"));
        let then = [
            (test, "its logic, natively"),
            ("tidegate policy build", "the component"),
            (
                "tidegate policy test scenarios",
                "the component, in virtual time",
            ),
        ];
        let commands: Vec<_> = install.chain(then).collect();
        let width = commands.iter().map(|(command, _)| command.len()).max();
        let width = width.unwrap_or_default();
        commands
            .iter()
            .map(|(command, why)| format!("  {command:<width$}  # {why}\n"))
            .collect()
    }
}
