//! What the pages for people say is there: links lead somewhere, named tests exist, configurations load.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use tidegate::config::{Settings, Source};
use tidegate::policy::{ComponentSource, PolicySettings, Runtime, RuntimeSettings, builtin_names};
use tidegate::sandbox::scenario::Scenario;

const ROOT: &str = "..";
const DOCS: &str = "host/docs";

/// What a configuration needs besides what an excerpt shows.
const REQUIRED: [(&str, &str); 2] = [
    ("staging", "[staging]\ndir = \"staging\"\n"),
    ("store", "[store]\nurl = \"memory:///\"\n"),
];

/// The same for a scenario.
const SCENARIO: [(&str, &str); 2] = [("title", "title = \"x\"\n"), ("until", "until = \"1h\"\n")];

struct Page {
    /// Relative to the repository.
    path: PathBuf,
    text: String,
}

impl Page {
    fn read(path: PathBuf) -> Result<Self> {
        let text = read(&path)?;
        Ok(Self { path, text })
    }

    /// README.md and all of `host/docs`.
    fn all() -> Result<Vec<Self>> {
        let mut paths = Vec::from([PathBuf::from("README.md")]);
        for entry in std::fs::read_dir(Path::new(ROOT).join(DOCS))? {
            paths.push(Path::new(DOCS).join(entry?.file_name()));
        }
        paths.sort();
        paths.into_iter().map(Self::read).collect()
    }

    fn events(&self) -> impl Iterator<Item = (Event<'_>, Range<usize>)> {
        Parser::new_ext(&self.text, Options::ENABLE_TABLES).into_offset_iter()
    }

    fn place(&self, at: &Range<usize>) -> String {
        let line = self.text[..at.start].matches('\n').count() + 1;
        format!("{}:{line}", self.path.display())
    }

    /// Links as place, destination and text.
    fn links(&self) -> Vec<(String, String, String)> {
        let mut links = Vec::new();
        let mut open = None;
        for (event, at) in self.events() {
            match event {
                Event::Start(Tag::Link { dest_url, .. }) => {
                    open = Some((self.place(&at), dest_url.to_string(), String::new()));
                }
                Event::End(TagEnd::Link) => links.extend(open.take()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some((_, _, words)) = &mut open {
                        words.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        links
    }

    /// Fenced blocks whose info string is exactly this, as place and text.
    fn blocks(&self, info: &str) -> Vec<(String, String)> {
        let mut blocks = Vec::new();
        let mut open = None;
        for (event, at) in self.events() {
            match event {
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(found))) if *found == *info => {
                    open = Some((self.place(&at), String::new()));
                }
                Event::Text(text) => {
                    if let Some((_, block)) = &mut open {
                        block.push_str(&text);
                    }
                }
                Event::End(TagEnd::CodeBlock) => blocks.extend(open.take()),
                _ => {}
            }
        }
        blocks
    }

    /// The anchors of its headings, as GitHub makes them.
    fn anchors(&self) -> Vec<String> {
        let mut anchors = Vec::new();
        let mut open: Option<String> = None;
        for (event, _) in self.events() {
            match event {
                Event::Start(Tag::Heading { .. }) => open = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => anchors.extend(open.take()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(anchor) = &mut open {
                        let kept = text
                            .chars()
                            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
                        anchor.extend(
                            kept.flat_map(char::to_lowercase)
                                .map(|c| if c == ' ' { '-' } else { c }),
                        );
                    }
                }
                _ => {}
            }
        }
        anchors
    }

    /// What a relative link leads to, relative to the repository.
    fn follow(&self, destination: &str) -> Result<PathBuf> {
        let (file, anchor) = destination.split_once('#').unwrap_or((destination, ""));
        let path = match (file, self.path.parent()) {
            ("", _) => self.path.clone(),
            (file, folder) => folder.unwrap_or(Path::new("")).join(file),
        };
        ensure!(
            Path::new(ROOT).join(&path).exists(),
            "`{destination}` leads nowhere"
        );
        if !anchor.is_empty() {
            let anchors = Self::read(path.clone())?.anchors();
            let known = anchors.iter().any(|known| known == anchor);
            ensure!(known, "`{destination}` names no heading");
        }
        Ok(path)
    }

    /// Follows a link; where its text is a test's name, that test must be in the file.
    fn check_link(&self, destination: &str, text: &str) -> Result<()> {
        let path = self.follow(destination)?;
        if path.extension().is_some_and(|end| end == "rs") && is_test_name(text) {
            let found = read(&path)?.contains(&format!("fn {text}("));
            ensure!(found, "no test `{text}` in {}", path.display());
        }
        Ok(())
    }
}

/// A file of the repository.
fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(Path::new(ROOT).join(path))
        .with_context(|| format!("can't read {}", path.display()))
}

/// Whether a text is the name of a test: words of small letters with `_` between them.
fn is_test_name(text: &str) -> bool {
    text.contains('_')
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[test]
fn links_lead_somewhere_and_named_tests_exist() -> Result<()> {
    let mut problems = Vec::new();
    let mut followed = 0;
    for page in Page::all()? {
        for (place, destination, text) in page.links() {
            if destination.contains("://") {
                continue;
            }
            followed += 1;
            if let Err(problem) = page.check_link(&destination, &text) {
                problems.push(format!("{place}: {problem:#}"));
            }
        }
    }
    ensure!(followed > 20, "only {followed} links were found");
    ensure!(problems.is_empty(), "\n{}", problems.join("\n"));
    Ok(())
}

/// The environment of a Parseable node, for configurations that take the store from there.
fn parseable_env(name: &str) -> Option<String> {
    let value = match name {
        "P_S3_URL" => "http://127.0.0.1:9",
        "P_S3_BUCKET" => "logs",
        "P_S3_REGION" => "us-east-1",
        "P_S3_ACCESS_KEY" | "P_S3_SECRET_KEY" => "nobody",
        _ => return None,
    };
    Some(value.to_owned())
}

#[tokio::test]
async fn configurations_and_scenarios_load() -> Result<()> {
    let runtime = Runtime::new(RuntimeSettings::default())?;
    let mut problems = Vec::new();
    let mut loaded = 0;
    for page in Page::all()? {
        for (place, mut text) in page.blocks("toml") {
            loaded += 1;
            if text.contains("config.") {
                // A scenario, or a part of one.
                for (key, line) in SCENARIO {
                    if !text.contains(&format!("{key} = ")) {
                        text.insert_str(0, line);
                    }
                }
                if let Err(error) = Scenario::from_source(Source::new(&place, text)) {
                    problems.push(error.to_string());
                }
                continue;
            }
            for (table, lines) in REQUIRED {
                if !text.contains(&format!("[{table}]")) {
                    text.push_str(lines);
                }
            }
            let settings = match Settings::from_source(&Source::new(&place, text), &parseable_env) {
                Ok(settings) => settings,
                Err(problem) => {
                    problems.push(problem.to_string());
                    continue;
                }
            };
            // Only the policy itself knows whether it takes its settings.
            let bundled = settings.policies.values().filter(|policy| {
                matches!(policy.component, ComponentSource::Builtin(_))
                    && policy
                        .settings
                        .as_object()
                        .is_some_and(|settings| !settings.is_empty())
            });
            for policy in bundled {
                if let Err(error) = runtime.load(policy).await {
                    problems.push(format!("{place}: {error}"));
                }
            }
        }
    }
    ensure!(loaded > 5, "only {loaded} configurations were found");
    ensure!(problems.is_empty(), "\n{}", problems.join("\n"));
    Ok(())
}

/// The page names every setting of every bundled policy, with the default that the policy's own JSON Schema tells.
#[tokio::test]
async fn settings_of_bundled_policies_are_described() -> Result<()> {
    let runtime = Runtime::new(RuntimeSettings::default())?;
    let page = Page::read(Path::new(DOCS).join("configuration.md"))?;
    let mut problems = Vec::new();
    for name in builtin_names() {
        let component = ComponentSource::Builtin(name.to_owned());
        let policy = runtime.load(&PolicySettings::new(name, component)).await?;
        let schema = &policy.description().settings_schema;
        let schema: serde_json::Value = serde_json::from_str(schema)?;
        let section = page
            .text
            .split("\n### ")
            .find(|section| section.starts_with(&format!("`{name}` (")))
            .with_context(|| format!("no section on `{name}`"))?;
        let settings = schema["properties"].as_object().into_iter().flatten();
        for (key, setting) in settings {
            // Defaults that are tables are told in words.
            let default = match &setting["default"] {
                serde_json::Value::Null => " none |".to_owned(),
                serde_json::Value::Object(_) => String::new(),
                default => format!(" `{}` |", default.to_string().replace(',', ", ")),
            };
            if !section.contains(&format!("\n| `{key}` |{default}")) {
                problems.push(format!("`{name}`: no row on `{key}` with{default}"));
            }
        }
    }
    ensure!(problems.is_empty(), "\n{}", problems.join("\n"));
    Ok(())
}
