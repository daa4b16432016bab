//! `tidegate policy inspect`, on what authors and operators point it to.

use std::fs;
use std::path::Path;

use anyhow::Result;
use tidegate_tests::command::{Ran, tidegate};

const GUESTS: &str = "guests/bundled";

fn inspect(component: &str) -> Result<Ran> {
    tidegate(Path::new("."), &["policy", "inspect", component])
}

#[test]
fn a_bundled_policy_is_told_with_its_settings() -> Result<()> {
    let ran = inspect("builtin:circuit-breaker")?;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for line in [
        "circuit-breaker 0.1.0\nStops all streams",
        "roles       retry\n",
        "contract    0.1.0\n",
        "tidegate:policy/state@0.1.0  offered\n",
        "threshold    number, above 0, at most 1  0.5      The share",
        "\nit loads\n",
    ] {
        assert!(ran.stdout.contains(line), "{line} in {}", ran.stdout);
    }
    Ok(())
}

#[test]
fn every_bundled_policy_loads_and_says_so_in_json() -> Result<()> {
    for name in tidegate::policy::builtin_names() {
        let component = format!("builtin:{name}");
        let ran = tidegate(Path::new("."), &["policy", "inspect", "--json", &component])?;
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
        let document: serde_json::Value = serde_json::from_str(&ran.stdout)?;
        assert_eq!(document["version"], 1);
        assert_eq!(document["loads"], true);
        assert_eq!(document["description"]["name"], name);
        assert_eq!(document["contracts"], serde_json::json!(["0.1.0"]));
    }
    Ok(())
}

#[test]
fn what_would_not_load_is_told_why() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let bundled = fs::read(format!("{GUESTS}/hostile.wasm"))?;
    let file = |name: &str, content: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, content).map(|()| path.display().to_string())
    };
    let wat = |name: &str| wat::parse_file(format!("guests/wat/{name}.wat"));
    for (component, why) in [
        (file("text", b"hello")?, "it is no WebAssembly binary"),
        (file("empty", b"")?, "it is no WebAssembly binary"),
        (file("cut", &bundled[..5000])?, "the component is damaged"),
        (
            file("core", &wat("core-module")?)?,
            "it is a core module, not a component",
        ),
        (
            file("version", &wat("unknown-version")?)?,
            "it is built for the contract 0.2.0, and this host speaks 0.1.0",
        ),
        (
            file("import", &wat("unknown-import")?)?,
            "no host offers what it imports: evil:host/shell@1.0.0",
        ),
        (
            file("roleless", &wat("exports-no-role")?)?,
            "it does not export `tidegate:policy/lifecycle@0.1.0`",
        ),
        (
            format!("{GUESTS}/trap-in-describe.wasm"),
            "it failed in `describe`: trap",
        ),
        (
            format!("{GUESTS}/huge-memory.wasm"),
            "the memories asked for more",
        ),
    ] {
        let ran = inspect(&component)?;
        assert_eq!(ran.code, Some(2), "{component}");
        let (_, told) = ran
            .stdout
            .split_once("it would not load: ")
            .unwrap_or_default();
        assert!(told.contains(why), "{why} in {}", ran.stdout);
    }
    Ok(())
}

#[test]
fn what_cannot_be_read_is_an_error() -> Result<()> {
    for (component, why) in [
        (".", "can't read `.`: is a directory"),
        ("none.wasm", "can't read `none.wasm`"),
        ("builtin:presense", "no bundled policy is named `presense`"),
    ] {
        let ran = inspect(component)?;
        assert_eq!(ran.code, Some(2), "{component}");
        assert_eq!(ran.stdout, "");
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
    }
    Ok(())
}
