//! `tidegate policy new` and `build`, and the mistakes that authors make, on a machine without any toolchain.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tidegate::config::{Settings, Source};
use tidegate_tests::command::{Ran, command, tidegate};

/// What stands for other programs in the place of tools, by the name of the tool.
type Tools<'a> = &'a [(&'a str, &'a str)];

const LANGUAGES: [&str; 4] = ["rust", "js", "python", "c"];
const ROLES: [&str; 3] = ["existence", "fallback", "retry"];

fn new(dir: &Path, name: &str, roles: &str, language: &str) -> Result<Ran> {
    let arguments = ["policy", "new", name, "--role", roles, "--lang", language];
    tidegate(dir, &arguments)
}

/// A directory with a project `mine` in it.
fn project(language: &str) -> Result<(TempDir, PathBuf)> {
    let dir = tempfile::tempdir()?;
    let ran = new(dir.path(), "mine", "retry", language)?;
    ensure!(ran.code == Some(0), "{}", ran.stderr);
    let project = dir.path().join("mine");
    Ok((dir, project))
}

/// Builds the project where these are the only tools on `PATH`.
fn build(project: &Path, tools: Tools<'_>, arguments: &[&str]) -> Result<Ran> {
    let path = tempfile::tempdir()?;
    for (name, script) in tools {
        let tool = path.path().join(name);
        fs::write(&tool, format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n"))?;
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755))?;
    }
    let mut command = command()?;
    command.env("PATH", path.path()).args(["policy", "build"]);
    let output = command.args(arguments).current_dir(project).output();
    Ok(output.context("can't run the command")?.into())
}

/// What node is told as the place of the component.
const OUT: &str = "\"$6\"";

fn plugin(name: &str) -> String {
    format!(
        "{}/../plugins/bundled/{name}.wasm",
        env!("CARGO_MANIFEST_DIR")
    )
}

fn files(dir: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            all.extend(files(&path)?);
        } else if path.is_file() {
            all.insert(path.clone(), fs::read(&path)?);
        }
    }
    Ok(all)
}

#[test]
fn what_can_not_be_made_is_told_and_nothing_is_written() -> Result<()> {
    let dir = tempfile::tempdir()?;
    fs::create_dir(dir.path().join("folder"))?;
    fs::write(dir.path().join("file"), "mine")?;
    std::os::unix::fs::symlink("nowhere", dir.path().join("link"))?;
    let before = files(dir.path())?;
    for (name, roles, language, why) in [
        ("Wait", "retry", "c", "`Wait` is no name for a policy"),
        ("../up", "retry", "c", "`../up` is no name for a policy"),
        ("a_b", "retry", "js", "lower-case words"),
        ("", "retry", "python", "is no name for a policy"),
        (
            "mine",
            "retires",
            "c",
            "no role is called `retires`: there are existence, fallback, retry",
        ),
        ("mine", "retry,", "c", "no role is called ``"),
        (
            "mine",
            "retry",
            "go",
            "no language is called `go`: there are rust, js, python, c",
        ),
        ("folder", "retry", "c", "`folder` exists"),
        ("file", "retry", "c", "`file` exists"),
        ("link", "retry", "c", "`link` exists"),
    ] {
        let ran = new(dir.path(), name, roles, language)?;
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(why), "{why} in {}", ran.stderr);
    }
    let elsewhere = [
        "policy", "new", "mine", "--role", "retry", "--lang", "c", "--dir", "gone",
    ];
    let ran = tidegate(dir.path(), &elsewhere)?;
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("there is no directory `gone`"),
        "{}",
        ran.stderr
    );
    let count = fs::read_dir(dir.path())?.count();
    assert_eq!((files(dir.path()).ok(), count), (Some(before), 3));
    Ok(())
}

#[test]
fn a_project_holds_what_its_roles_need_and_nothing_of_others() -> Result<()> {
    for language in LANGUAGES {
        for chosen in 1..8u8 {
            let is_chosen = |at: usize| chosen & (1 << at) != 0;
            let roles: Vec<&str> = (0..3)
                .filter(|at| is_chosen(*at))
                .map(|at| ROLES[at])
                .collect();
            let dir = tempfile::tempdir()?;
            let ran = new(dir.path(), "wait-longer", &roles.join(","), language)?;
            ensure!(ran.code == Some(0), "{language} {roles:?}: {}", ran.stderr);
            let project = dir.path().join("wait-longer");
            for (path, content) in files(&project)? {
                // The crate goes along as it is, with the braces of its own.
                if path.starts_with(project.join("vendor")) {
                    continue;
                }
                let Ok(text) = String::from_utf8(content) else {
                    continue;
                };
                for left in ["{{", "@if", "@end"] {
                    ensure!(!text.contains(left), "{left} in {}", path.display());
                }
            }
            let scenarios = fs::read_dir(project.join("scenarios"))?.count();
            assert_eq!(scenarios, roles.len());
            // What a policy in Rust exports is for its own last line to say.
            if language != "rust" {
                let world = fs::read_to_string(project.join("wit/world.wit"))?;
                for (at, role) in ROLES.into_iter().enumerate() {
                    assert_eq!(world.contains(&format!("policy/{role}@")), is_chosen(at));
                }
            }
        }
    }
    Ok(())
}

#[test]
fn the_configuration_that_a_readme_shows_is_one() -> Result<()> {
    let digest = format!("@sha256:{}", "0".repeat(64));
    let key = "ed25519:CGCtOk7aahIKJrwHdTyMslyRrp3gjscrto2Vqo30PEs=";
    for language in LANGUAGES {
        let dir = tempfile::tempdir()?;
        let ran = new(dir.path(), "mine", &ROLES.join(","), language)?;
        ensure!(ran.code == Some(0), "{}", ran.stderr);
        let readme = fs::read_to_string(dir.path().join("mine/README.md"))?;
        let (_, behind) = readme.split_once("\n```toml\n").context("no TOML")?;
        let (shown, _) = behind.split_once("\n```").context("no end")?;
        let filled = shown
            .replace("@sha256:…", &digest)
            .replace("ed25519:…", key);
        let text = filled + "\n[staging]\ndir = \"staging\"\n[store]\nurl = \"memory:///\"\n";
        let settings = Settings::from_source(&Source::new(Path::new("README.md"), text), &|_| None);
        let settings = settings.with_context(|| language.to_owned())?;
        let policy = settings.policies.get("mine").context("no policy")?;
        assert_eq!(
            policy.settings,
            serde_json::json!({"grace": "2m", "checks": 3, "longest": "1m"})
        );
    }
    Ok(())
}

#[test]
fn the_contract_in_a_project_is_the_hosts() -> Result<()> {
    let (_dir, project) = project("js")?;
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/0.1");
    let own = project.join("wit/deps/tidegate-policy");
    for entry in fs::read_dir(&contract)? {
        let file = entry?.file_name();
        assert_eq!(fs::read(own.join(&file))?, fs::read(contract.join(&file))?);
    }
    assert_eq!(
        fs::read_dir(&own)?.count(),
        fs::read_dir(&contract)?.count()
    );
    Ok(())
}

#[test]
fn a_missing_tool_is_named_with_the_command_that_installs_it() -> Result<()> {
    const APT: &str = "apt-get update && apt-get install -y --no-install-recommends";
    let clang = "case $1 in --version) echo 'Debian clang version 19.1.7';; esac";
    let old = "case $1 in --version) echo 'clang version 13.0.1';; esac";
    let no_package = "exit 66";
    for (language, tools, command) in [
        ("c", &[] as Tools<'_>, format!("{APT} clang lld")),
        ("c", &[("clang", old)], format!("{APT} clang lld")),
        ("c", &[("clang", clang)], format!("{APT} lld-19")),
        ("c", &[("clang-19", clang), ("wasm-ld-22", clang)], format!("{APT} lld-19")),
        ("js", &[], format!("{APT} nodejs npm")),
        ("js", &[("node", no_package)], format!("{APT} npm")),
        ("js", &[("node", no_package), ("npm", "")], "npm install --prefix DIR/mine".to_owned()),
        ("python", &[], format!("{APT} python3 python3-venv")),
        (
            "python",
            &[("python3", "")],
            "python3 -m venv DIR/mine/.venv && DIR/mine/.venv/bin/pip install -r DIR/mine/requirements.txt".to_owned(),
        ),
    ] {
        let (dir, project) = project(language)?;
        let ran = build(&project, tools, &[])?;
        let told = ran.stderr.replace(&dir.path().canonicalize()?.display().to_string(), "DIR");
        assert_eq!(ran.code, Some(2), "{told}");
        let line = format!("\n    {command}\n");
        assert!(told.contains(&line), "{language} {tools:?}: {command} in {told}");
        assert!(!project.join("mine.wasm").exists());
    }
    Ok(())
}

#[test]
fn what_no_tool_builds_is_told() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let ran = build(dir.path(), &[], &[])?;
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("there is no policy in `.`"),
        "{}",
        ran.stderr
    );
    for file in ["package.json", "pyproject.toml"] {
        fs::write(dir.path().join(file), "")?;
    }
    let ran = build(dir.path(), &[], &[])?;
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("js or python: say which by `--lang`"),
        "{}",
        ran.stderr
    );
    let ran = build(dir.path(), &[], &["--lang", "js"])?;
    assert!(ran.stderr.contains("there is no node"), "{}", ran.stderr);
    Ok(())
}

#[test]
fn a_component_is_written_by_the_name_that_it_gives_itself() -> Result<()> {
    let (_dir, project) = project("js")?;
    let node = format!("cp {} {OUT}", plugin("never"));
    let ran = build(&project, &[("node", &node)], &[])?;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(
        fs::read(project.join("never.wasm"))?,
        fs::read(plugin("never"))?
    );
    for said in [
        "never 0.1.0",
        "roles       fallback",
        "sha256",
        "tidegate policy test scenarios",
    ] {
        assert!(ran.stdout.contains(said), "{said} in {}", ran.stdout);
    }
    let ran = build(&project, &[("node", &node)], &["--json"])?;
    let document: serde_json::Value = serde_json::from_str(&ran.stdout)?;
    assert_eq!(document["version"], 1);
    assert_eq!(document["language"], "js");
    assert_eq!(document["file"], "./never.wasm");
    assert_eq!(
        document["inspection"]["roles"],
        serde_json::json!(["fallback"])
    );
    Ok(())
}

#[test]
fn what_can_not_be_used_leaves_the_component_before() -> Result<()> {
    let (_dir, project) = project("js")?;
    let wasi = wat::parse_file("guests/wat/unknown-import.wat")?;
    let other = project.join("other");
    fs::write(&other, wasi)?;
    let refused = format!("cp {} {OUT}", other.display());
    fs::write(project.join("never.wasm"), "before")?;
    for (node, why) in [
        (
            "echo 'logic.js:3: unexpected token' >&2; exit 1",
            "logic.js:3: unexpected token",
        ),
        (
            "exit 1",
            "the project does not compile (componentize-js: exit status: 1)",
        ),
        (
            &format!("truncate -s 67108865 {OUT}"),
            "has 67108865 bytes, and no host loads one of over 67108864 (64 MiB)",
        ),
        (
            &format!("echo hello > {OUT}"),
            "no host would load what was built",
        ),
        (&refused, "it imports what it is not offered"),
    ] {
        let ran = build(&project, &[("node", node)], &[])?;
        assert_eq!(ran.code, Some(5), "{}", ran.stderr);
        assert!(ran.stderr.contains(why), "{why} in {}", ran.stderr);
        assert_eq!(fs::read(project.join("never.wasm"))?, b"before");
        assert!(!project.join("mine.wasm").exists());
    }
    Ok(())
}

#[test]
fn a_project_without_a_world_is_told_what_it_lacks() -> Result<()> {
    let (_dir, project) = project("c")?;
    let tool = "case $1 in --version) echo 'clang version 14.0.6';; esac";
    let tools = [("clang", tool), ("wasm-ld", tool)];
    fs::write(
        project.join("wit/world.wit"),
        "package local:policy;\n\nworld policy {\n    export nothing;\n}\n",
    )?;
    let ran = build(&project, &tools, &[])?;
    assert_eq!(ran.code, Some(5));
    assert!(ran.stderr.contains("world.wit:4:12"), "{}", ran.stderr);
    fs::remove_dir_all(project.join("wit"))?;
    let ran = build(&project, &tools, &[])?;
    assert_eq!(ran.code, Some(5));
    assert!(
        ran.stderr
            .contains("which says what the policy imports and exports"),
        "{}",
        ran.stderr
    );
    Ok(())
}
