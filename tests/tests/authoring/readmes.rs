//! A new project's README is followed from its first line to its last, in each language.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use tidegate_tests::command::Ran;

use crate::desk::{Desk, blocks};

/// Where the READMEs say that a registry is.
const ELSEWHERE: &str = "registry.example.com";

/// Somebody with a new project.
struct Author {
    desk: Desk,
    name: String,
    project: PathBuf,
    readme: String,
}

impl Author {
    /// Makes a project with all roles. `None` where there are no tools.
    fn begin(language: &str) -> Result<Option<Self>> {
        let Some(desk) = Desk::new()? else {
            return Ok(None);
        };
        // A real registry keeps what earlier runs pushed, and the same component has the same digest.
        let name = format!("first-{language}");
        let new =
            format!("tidegate policy new {name} --role existence,fallback,retry --lang {language}");
        desk.succeed(desk.path(), &new)?;
        let project = desk.path().join(&name);
        let readme = fs::read_to_string(project.join("README.md"))?;
        let readme = readme.replace(ELSEWHERE, &desk.registry);
        Ok(Some(Self {
            desk,
            name,
            project,
            readme,
        }))
    }

    /// Does what a section of the README says, but for installing, which has been done.
    fn follow(&self, section: &str) -> Result<Vec<Ran>> {
        let blocks = blocks(&self.readme, Some(section), "sh");
        ensure!(!blocks.is_empty(), "no commands under {section}");
        let lines = blocks.iter().flat_map(|(_, lines)| lines.lines());
        lines
            .filter(|line| !line.contains("install") && !line.contains("rustup"))
            .map(|line| self.desk.succeed(&self.project, line))
            .collect()
    }

    fn component(&self) -> PathBuf {
        self.project.join(format!("{}.wasm", self.name))
    }

    /// Breaks a source, and sees that the component stays as it was.
    fn slip(&self, source: &str) -> Result<()> {
        let before = fs::read(self.component())?;
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(self.project.join(source))?;
        file.write_all(b"\n(((\n")?;
        let ran = self.desk.run(&self.project, "tidegate policy build")?;
        let name = source.rsplit('/').next().context("no name")?;
        ensure!(ran.code == Some(5), "{:?}: {}", ran.code, ran.stderr);
        ensure!(ran.stderr.contains(name), "no {name} in {}", ran.stderr);
        ensure!(
            ran.stderr.contains("the project does not compile"),
            "{}",
            ran.stderr
        );
        ensure!(fs::read(self.component())? == before, "another component");
        Ok(())
    }

    /// Gives the reference and the key to an operator, who has a node with a staged schema and nothing else of the
    /// author's, and whose node asks the policy.
    fn hand_over(&self, said: &[Ran]) -> Result<()> {
        let said: String = said.iter().map(|ran| ran.stdout.as_str()).collect();
        let quoted = |beginning: &str| {
            let (_, rest) = said.split_once(beginning)?;
            Some(format!("{beginning}{}", rest.split('"').next()?))
        };
        let reference = quoted("oci://").context("`push` said no reference")?;
        let key = quoted("ed25519:").context("`key` said no key")?;
        let operator = Desk::new()?.context("there was a desk")?;
        let use_it = blocks(&self.readme, Some("Use"), "toml");
        let [(_, toml)] = use_it.as_slice() else {
            bail!("the README has no configuration")
        };
        let toml: String = toml
            .lines()
            .map(|line| match line.split_once(" = ") {
                Some(("component", _)) => format!("component = {reference:?}\n"),
                Some(("keys", _)) => format!("keys = [{key:?}]\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let node = operator.path();
        fs::create_dir_all(node.join("staging/app"))?;
        fs::create_dir(node.join("store"))?;
        fs::write(
            node.join("staging/app/schema.json"),
            r#"{"fields":[],"metadata":{}}"#,
        )?;
        let config = format!(
            "[staging]\ndir = \"staging\"\nlayout = \"plain\"\n[node]\nid = \"n1\"\n[store]\nurl = \"file://{}\"\n{toml}",
            node.join("store").display()
        );
        fs::write(node.join("tidegate.toml"), config)?;
        let checked = operator.succeed(node, "tidegate check")?;
        ensure!(
            checked.stdout.contains(&format!("signed by {key}")),
            "{}",
            checked.stdout
        );
        operator.succeed(node, "tidegate sync")?;
        let explained = operator.succeed(node, "tidegate explain app")?;
        ensure!(
            explained.stdout.contains(&self.name),
            "the policy was not asked:\n{}",
            explained.stdout
        );
        Ok(())
    }
}

/// From nothing to a node that asks the policy.
fn follow_the_readme(language: &str, installed: Option<(&str, &str)>, logic: &str) -> Result<()> {
    let Some(author) = Author::begin(language)? else {
        return Ok(());
    };
    if let Some((from, to)) = installed {
        author.desk.link(from, &author.project.join(to))?;
    }
    author.follow("Build")?;
    ensure!(author.component().is_file(), "there is no component");
    author.follow("Test")?;
    author.follow("Measure")?;
    let said = author.follow("Sign and push")?;
    author.hand_over(&said)?;
    author.slip(logic)
}

#[test]
fn a_policy_in_rust_gets_to_an_operators_node_as_its_readme_says() -> Result<()> {
    follow_the_readme("rust", None, "src/lib.rs")
}

#[test]
fn a_policy_in_javascript_gets_to_an_operators_node_as_its_readme_says() -> Result<()> {
    let installed = ("js/node_modules", "node_modules");
    follow_the_readme("js", Some(installed), "src/logic.js")
}

#[test]
fn a_policy_in_python_gets_to_an_operators_node_as_its_readme_says() -> Result<()> {
    follow_the_readme("python", Some(("python/.venv", ".venv")), "src/logic.py")
}

#[test]
fn a_policy_in_c_gets_to_an_operators_node_as_its_readme_says() -> Result<()> {
    follow_the_readme("c", None, "src/logic.c")
}

/// What is installed may lack a package of its own, and whoever builds is told which.
#[test]
fn a_componentizer_that_is_not_whole_is_told_with_what_mends_it() -> Result<()> {
    let Some(author) = Author::begin("js")? else {
        return Ok(());
    };
    let package = author
        .project
        .join("node_modules/@bytecodealliance/componentize-js");
    fs::create_dir_all(&package)?;
    let described = r#"{ "type": "module", "exports": { "import": "./index.js" } }"#;
    fs::write(package.join("package.json"), described)?;
    fs::write(package.join("index.js"), "import 'not-there';\n")?;
    let ran = author.desk.run(&author.project, "tidegate policy build")?;
    ensure!(ran.code == Some(2), "{:?}: {}", ran.code, ran.stderr);
    for told in ["'not-there'", "npm install --prefix"] {
        ensure!(ran.stderr.contains(told), "no {told} in {}", ran.stderr);
    }
    Ok(())
}
