//! A policy's way from nothing to a tested component, in each language, as its own README leads: with the real tools.
//!
//! The environment variable `TIDEGATE_TEST_AUTHORS` names a directory where these tools are installed: `js/node_modules`
//! and `python/.venv`, as the READMEs of new projects say. node, Python, a C compiler, make, clang and wasm-ld are the
//! machine's. Without it, nothing is tried here.

use std::env;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Parser, Tag, TagEnd};
use tempfile::TempDir;
use tidegate_tests::command::{Ran, command};

/// The variable that names the directory of the tools.
const VARIABLE: &str = "TIDEGATE_TEST_AUTHORS";

/// The policy's name.
const NAME: &str = "first-try";

/// Somebody with a new project, who follows its README.
struct Author {
    /// Holds the project, and `bin/tidegate`.
    dir: TempDir,
    project: PathBuf,
}

impl Author {
    /// Makes a project with all roles, and links what is installed already: each a path in the directory of the tools,
    /// and one in the project. `None` where there are no tools.
    fn begin(language: &str, installed: &[(&str, &str)]) -> Result<Option<Self>> {
        let Some(tools) = env::var_os(VARIABLE) else {
            return Ok(None);
        };
        let dir = tempfile::tempdir()?;
        let bin = dir.path().join("bin");
        fs::create_dir(&bin)?;
        symlink(command()?.get_program(), bin.join("tidegate"))?;
        let project = dir.path().join(NAME);
        let author = Self { dir, project };
        let new =
            format!("tidegate policy new {NAME} --role existence,fallback,retry --lang {language}");
        author.succeed(author.dir.path(), &new)?;
        for (from, to) in installed {
            let from = fs::canonicalize(Path::new(&tools).join(from))
                .with_context(|| format!("{VARIABLE} has no {from}"))?;
            symlink(from, author.project.join(to))?;
        }
        Ok(Some(author))
    }

    /// Runs a line of shell, in an environment that holds programs and nothing else.
    fn run(&self, dir: &Path, line: &str) -> Result<Ran> {
        let mut path = vec![self.dir.path().join("bin")];
        path.extend(env::split_paths(&env::var_os("PATH").context("no PATH")?));
        let output = Command::new("/bin/sh")
            .args(["-c", line])
            .current_dir(dir)
            .env_clear()
            .env("PATH", env::join_paths(path)?)
            .env("HOME", self.dir.path())
            .output()?;
        Ok(output.into())
    }

    fn succeed(&self, dir: &Path, line: &str) -> Result<Ran> {
        let ran = self.run(dir, line)?;
        ensure!(
            ran.code == Some(0),
            "`{line}` ended with {:?}:\n{}{}",
            ran.code,
            ran.stdout,
            ran.stderr
        );
        Ok(ran)
    }

    /// Does what a section of the README says, but for installing, which has been done.
    fn follow(&self, section: &str) -> Result<()> {
        let lines = commands(
            &fs::read_to_string(self.project.join("README.md"))?,
            section,
        );
        ensure!(
            !lines.is_empty(),
            "the README has no commands under {section}"
        );
        for line in lines.iter().filter(|line| !line.contains("install")) {
            self.succeed(&self.project, line)?;
        }
        Ok(())
    }

    fn component(&self) -> PathBuf {
        self.project.join(format!("{NAME}.wasm"))
    }

    /// Breaks a source, and sees that the component stays as it was.
    fn slip(&self, source: &str) -> Result<()> {
        let before = fs::read(self.component())?;
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(self.project.join(source))?;
        file.write_all(b"\n(((\n")?;
        let ran = self.run(&self.project, "tidegate policy build")?;
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
}

/// The lines of the shell blocks under a heading.
fn commands(page: &str, section: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut in_heading, mut in_section, mut in_shell) = (false, false, false);
    for event in Parser::new(page) {
        match event {
            Event::Start(Tag::Heading {
                level: HeadingLevel::H2,
                ..
            }) => in_heading = true,
            Event::End(TagEnd::Heading(_)) => in_heading = false,
            Event::Text(text) if in_heading => in_section = *text == *section,
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(kind))) => in_shell = *kind == *"sh",
            Event::End(TagEnd::CodeBlock) => in_shell = false,
            Event::Text(text) if in_section && in_shell => {
                lines.extend(text.lines().map(str::to_owned))
            }
            _ => {}
        }
    }
    lines
}

/// From nothing to a tested component. What else a README leads through belongs behind it.
fn follow_the_readme(language: &str, installed: &[(&str, &str)], logic: &str) -> Result<()> {
    let Some(author) = Author::begin(language, installed)? else {
        return Ok(());
    };
    author.follow("Build")?;
    if !author.component().is_file() {
        bail!("there is no component");
    }
    author.follow("Test")?;
    author.slip(logic)
}

#[test]
fn a_policy_in_javascript_is_built_and_tested_as_its_readme_says() -> Result<()> {
    follow_the_readme("js", &[("js/node_modules", "node_modules")], "src/logic.js")
}

#[test]
fn a_policy_in_python_is_built_and_tested_as_its_readme_says() -> Result<()> {
    follow_the_readme("python", &[("python/.venv", ".venv")], "src/logic.py")
}

#[test]
fn a_policy_in_c_is_built_and_tested_as_its_readme_says() -> Result<()> {
    follow_the_readme("c", &[], "src/logic.c")
}
