//! The guide is done, command by command, and what it shows is what comes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::desk::{Desk, blocks};

const GUIDE: &str = "../host/docs/first-policy.md";

/// Where the guide says that the registry is.
const REGISTRY: &str = "localhost:5000";

/// Where the guide has its node.
const NODE: &str = "/tmp/node";

/// A command of the guide, and what it shows of what the command prints.
struct Command {
    line: String,
    shown: Vec<String>,
}

/// What the guide has its reader do, in order: run commands, and write files.
enum Step {
    Run(Command),
    Write(PathBuf, String),
}

fn steps(page: &str) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for language in ["console", "rust", "toml"] {
        for (file, content) in blocks(page, None, language) {
            let at = page.find(&content).context("a block of the page")?;
            if language == "console" {
                steps.extend(commands(&content).map(|command| (at, Step::Run(command))));
            } else if !file.is_empty() {
                steps.push((at, Step::Write(file.into(), content)));
            }
        }
    }
    steps.sort_by_key(|(at, _)| *at);
    Ok(steps.into_iter().map(|(_, step)| step).collect())
}

fn commands(block: &str) -> impl Iterator<Item = Command> {
    let parts = block.strip_prefix("$ ").unwrap_or(block).split("\n$ ");
    parts.map(|part| {
        let mut lines = part.lines();
        Command {
            line: lines.next().unwrap_or_default().to_owned(),
            shown: lines
                .filter(|line| !line.is_empty())
                .map(str::to_owned)
                .collect(),
        }
    })
}

/// Whether a printed line is the shown one, in which `…` stands for anything.
fn is_shown(shown: &str, printed: &str) -> bool {
    let mut parts = shown.split('…').map(str::trim);
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.trim().strip_prefix(first) else {
        return false;
    };
    let mut exact = true;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        exact = false;
        if part.is_empty() {
            rest = "";
        }
    }
    rest.is_empty() || !exact && shown.ends_with('…')
}

#[test]
fn the_guide_leads_to_a_node_that_asks_the_policy() -> Result<()> {
    let Some(desk) = Desk::new()? else {
        return Ok(());
    };
    let page = fs::read_to_string(GUIDE)?.replace(REGISTRY, &desk.registry);
    let node = desk.path().join("node");
    let page = page.replace(NODE, &node.display().to_string());
    let mut dir = desk.path().to_owned();
    let mut said = String::new();
    for step in steps(&page)? {
        match step {
            Step::Write(file, content) => write(&dir.join(file), &content, &said)?,
            Step::Run(command) => {
                let line = format!("{}; code=$?; echo; pwd; exit $code", command.line);
                let ran = desk.run(&dir, &line)?;
                ensure!(
                    ran.code == Some(0),
                    "`{}` ended with {:?}:\n{}{}",
                    command.line,
                    ran.code,
                    ran.stdout,
                    ran.stderr
                );
                let (stdout, place) = ran.stdout.trim_end().rsplit_once('\n').context("no pwd")?;
                dir = place.into();
                let printed = format!("{stdout}\n{}", ran.stderr);
                let mut lines = printed.lines();
                for shown in command.shown.iter().filter(|shown| shown.trim() != "…") {
                    ensure!(
                        lines.any(|line| is_shown(shown, line)),
                        "`{}` does not print\n  {shown}\nwhere the guide shows it, but\n{printed}",
                        command.line
                    );
                }
                said.push_str(stdout);
            }
        }
    }
    Ok(())
}

/// Writes a file of the guide. Where it has `…` in a reference or a key, what was printed stands instead.
fn write(file: &Path, content: &str, said: &str) -> Result<()> {
    let mut text = String::new();
    for line in content.lines() {
        let Some((before, after)) = line.split_once('…') else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let begin = before.rfind('"').map_or(before, |at| &before[at + 1..]);
        let (_, rest) = said
            .rsplit_once(begin)
            .with_context(|| format!("nothing was printed that begins with {begin}"))?;
        let value = rest.split(['"', ' ', '\n']).next().unwrap_or_default();
        text.push_str(&format!("{before}{value}{after}\n"));
    }
    fs::write(file, text).with_context(|| file.display().to_string())
}
