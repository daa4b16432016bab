//! What is refused when it is loaded, and in which words.

use crate::digest::Digest;
use std::error::Error;

use super::guest::{HEAD, PUT};
use super::*;

async fn refusal(settings: &PolicySettings) -> String {
    let error = runtime().load(settings).await.unwrap_err();
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn bytes(component: &[u8]) -> PolicySettings {
    PolicySettings::new("p", ComponentSource::Bytes(component.into()))
}

fn text(component: &str) -> PolicySettings {
    bytes(&wat::parse_str(component).unwrap())
}

#[tokio::test]
async fn what_is_no_component() {
    for (content, why) in [
        (&b""[..], "it is no WebAssembly binary"),
        (b"(component)", "it is no WebAssembly binary"),
        (b"\x7fELF", "it is no WebAssembly binary"),
        (b"\0asm\x01\0\0\0", "it is a core module"),
        (b"\0asm\x0d\0\x01\0\xff", "the component is damaged"),
    ] {
        let said = refusal(&bytes(content)).await;
        assert!(said.contains(why), "{said}");
    }
}

#[tokio::test]
async fn files_that_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    for path in [directory.path().join("none.wasm"), directory.path().into()] {
        let said = refusal(&PolicySettings::new(
            "p",
            ComponentSource::File(path.clone()),
        ))
        .await;
        assert!(
            said.contains(&format!("can't read `{}`", path.display())),
            "{said}"
        );
    }
    let large = directory.path().join("large.wasm");
    let file = std::fs::File::create(&large).unwrap();
    file.set_len(MAX_COMPONENT + 1).unwrap();
    let said = refusal(&PolicySettings::new("p", ComponentSource::File(large))).await;
    assert!(said.contains("over 64 MiB"), "{said}");
}

#[tokio::test]
async fn a_file_is_loaded_and_its_digest_known() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let component = Guest::default().component();
    std::fs::write(file.path(), &component).unwrap();
    let mut settings = PolicySettings::new("p", ComponentSource::File(file.path().into()));
    settings.sha256 = Some(Digest::of(&component));
    let policy = runtime().load(&settings).await.unwrap();
    assert_eq!(policy.sha256(), Digest::of(&component));
    assert_eq!(policy.roles(), crate::contract::Role::ALL);
    assert_eq!(policy.contract_version(), "0.1.0");
}

#[tokio::test]
async fn a_digest_that_differs() {
    let mut settings = settings(&Guest::default());
    settings.sha256 = Some(Digest::of(b"another"));
    let said = refusal(&settings).await;
    let pinned = format!("`sha256` pins {}", Digest::of(b"another"));
    assert!(said.contains(&pinned), "{said}");
}

#[tokio::test]
async fn an_unknown_builtin() {
    let said = refusal(&PolicySettings::new(
        "p",
        ComponentSource::Builtin("presense".to_owned()),
    ))
    .await;
    assert!(
        said.contains("no bundled policy is named `presense`"),
        "{said}"
    );
    assert!(said.contains("presence, ladder"), "{said}");
}

#[tokio::test]
async fn contracts_of_other_versions() {
    for component in [
        "(component (import \"tidegate:policy/log@0.2.0\" (instance)))",
        "(component (import \"tidegate:policy/log@0.1.1\" (instance)))",
        "(component (instance $i) (export \"tidegate:policy/existence@0.2.0\" (instance $i)))",
    ] {
        let said = refusal(&text(component)).await;
        assert!(said.contains("it is built for the contract 0."), "{said}");
        assert!(said.contains("this host speaks 0.1.0"), "{said}");
    }
}

#[tokio::test]
async fn imports_that_are_not_offered() {
    let said = refusal(&text(
        "(component
           (import \"tidegate:policy/log@0.1.0\" (instance))
           (import \"wasi:cli/environment@0.2.0\" (instance))
           (import \"wasi:http/types@0.2.0\" (instance))
           (import \"tidegate:policy/spy@0.1.0\" (instance))
           (import \"tidegate:policy/object-writer@0.1.0\" (instance)))",
    ))
    .await;
    for line in [
        "tidegate:policy/log@0.1.0 (offered)",
        "wasi:cli/environment@0.2.0 (sealed)",
        "wasi:http/types@0.2.0 (unknown: of WASI there are cli,",
        "tidegate:policy/spy@0.1.0 (unknown)",
        "tidegate:policy/object-writer@0.1.0 (needs a grant: name a prefix in `grants.write`)",
    ] {
        assert!(said.contains(line), "{line} is missing in: {said}");
    }
}

#[tokio::test]
async fn writing_needs_a_grant() {
    let guest = Guest::checking(
        "(call $put (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 3072)) i32.const 1024",
    )
    .importing(&[PUT]);
    let mut settings = settings(&guest);
    let said = refusal(&settings).await;
    assert!(
        said.contains("object-writer@0.1.0 (needs a grant"),
        "{said}"
    );
    settings.grants.write = vec!["{root}/notes/".to_owned()];
    assert!(runtime().load(&settings).await.is_ok());
}

#[tokio::test]
async fn components_without_a_role_or_of_another_shape() {
    let lifecycle = "(export \"tidegate:policy/lifecycle@0.1.0\" (instance $i))";
    let existence = "(export \"tidegate:policy/existence@0.1.0\" (instance $i))";
    for (exports, why) in [
        (String::new(), "does not export `tidegate:policy/lifecycle"),
        (
            existence.to_owned(),
            "does not export `tidegate:policy/lifecycle",
        ),
        (lifecycle.to_owned(), "it exports none of the roles"),
        (
            format!("{lifecycle}{existence}"),
            "it does not fit the contract 0.1.0",
        ),
    ] {
        let said = refusal(&text(&format!("(component (instance $i) {exports})"))).await;
        assert!(said.contains(why), "{said}");
    }
}

#[tokio::test]
async fn an_import_of_another_shape() {
    let said = refusal(&text(
        "(component
           (import \"tidegate:policy/log@0.1.0\" (instance (export \"write\" (func (param \"n\" u32)))))
           (instance $i)
           (export \"tidegate:policy/lifecycle@0.1.0\" (instance $i))
           (export \"tidegate:policy/retry@0.1.0\" (instance $i)))",
    ))
    .await;
    assert!(said.contains("it does not fit the contract"), "{said}");
}

#[tokio::test]
async fn one_role_is_enough_and_the_others_are_not_asked() {
    let guest = Guest {
        world: "retry-policy",
        ..Guest::default()
    };
    let policy = load(&guest).await;
    assert_eq!(policy.roles(), [crate::contract::Role::Retry]);
    assert_eq!(cause(&ask(&policy).await), Cause::Unavailable);
}

#[tokio::test]
async fn grants_limits_and_settings_of_the_wrong_form() {
    let good = settings(&Guest::default());
    let mut grants = good.clone();
    grants.grants.read = vec!["/etc/".to_owned()];
    let mut schemas = good.clone();
    schemas.grants.write = vec!["{root}/.schema/".to_owned()];
    let mut limits = good.clone();
    limits.limits.memories = 1000;
    let mut fuel = good.clone();
    fuel.limits.fuel = 0;
    let mut shape = good;
    shape.settings = serde_json::json!([]);
    for (settings, why) in [
        (grants, "grants.read `/etc/`: it has an empty segment"),
        (
            schemas,
            "keys of schemas and stream markers can't be granted",
        ),
        (
            limits,
            "`limits.memories` is 1000; the most that a host grants is 4",
        ),
        (fuel, "`limits.fuel` is 0"),
        (shape, "its settings must be a table"),
    ] {
        let said = refusal(&settings).await;
        assert!(said.contains(why), "{said}");
    }
}

#[tokio::test]
async fn settings_that_the_policy_refuses() {
    let mut guest = Guest::default().with_text("/graceno duration\u{7}");
    // One problem: its pointer and its message.
    guest.configure = "(i32.store8 (i32.const 1024) (i32.const 1))
        (i32.store (i32.const 1028) (i32.const 3072)) (i32.store (i32.const 1032) (i32.const 1))
        (i32.store (i32.const 3072) (i32.const 2048)) (i32.store (i32.const 3076) (i32.const 6))
        (i32.store (i32.const 3080) (i32.const 2054)) (i32.store (i32.const 3084) (i32.const 12))
        i32.const 1024"
        .to_owned();
    let error = runtime().load(&settings(&guest)).await.unwrap_err();
    assert!(
        error.to_string().contains("\n  /grace: no duration\\u{7}"),
        "{error}"
    );
    assert!(matches!(error.problem, LoadProblem::Settings(problems) if problems.len() == 1));
}

#[tokio::test]
async fn guests_that_fail_before_their_first_decision() {
    let trap = || "unreachable".to_owned();
    let endless = || "(loop $again (br $again)) unreachable".to_owned();
    let with = |change: &dyn Fn(&mut Guest)| {
        let mut guest = Guest::default();
        change(&mut guest);
        guest
    };
    for (guest, why) in [
        (
            with(&|guest| guest.describe = trap()),
            "in `describe`: trap",
        ),
        (
            with(&|guest| guest.describe = endless()),
            "in `describe`: out-of-fuel",
        ),
        (
            with(&|guest| guest.configure = trap()),
            "in `configure`: trap",
        ),
        (
            with(&|guest| guest.configure = endless()),
            "in `configure`: out-of-fuel",
        ),
        (
            with(&|guest| guest.fields = "(func $s unreachable) (start $s)".to_owned()),
            "in making an instance: trap",
        ),
        (
            with(&|guest| guest.memory = "(memory (export \"memory\") 1025)"),
            "in making an instance: out-of-memory",
        ),
    ] {
        let said = refusal(&settings(&guest)).await;
        assert!(said.contains(why), "{said}");
    }
}

#[tokio::test]
async fn descriptions_are_bounded_and_escaped() {
    let describe = |len: u32| {
        format!(
            "(i32.store (i32.const 3072) (i32.const 2048)) (i32.store (i32.const 3076) (i32.const {len})) i32.const 3072"
        )
    };
    let mut guest = Guest::default().with_text("na\u{1b}me");
    guest.describe = describe(5);
    assert_eq!(load(&guest).await.description().name, "na\\u{1b}me");
    guest.memory = "(memory (export \"memory\") 64)";
    guest.describe = describe(65_537);
    let said = refusal(&settings(&guest)).await;
    assert!(said.contains("64 KiB are the most"), "{said}");
}

#[tokio::test]
async fn two_runtimes_live_in_one_process() {
    let (one, two) = (runtime(), runtime());
    assert_eq!(one.engine_hash(), two.engine_hash());
    let guest =
        Guest::checking("(call $head (i32.const 0) (i32.const 0) (i32.const 3072)) i32.const 1024")
            .importing(&[HEAD]);
    let first = one.load(&settings(&guest)).await.unwrap();
    let second = two.load(&settings(&guest)).await.unwrap();
    drop(one);
    drop(first);
    assert!(ask(&second).await.verdict.is_ok());
}
