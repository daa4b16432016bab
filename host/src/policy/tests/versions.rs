//! Several versions of the contract in one runtime.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::*;
use crate::contract::{Choice, ContractVersion, Failure, Presence, RetryDecision};

const BOTH: &[ContractVersion] = &[ContractVersion::V0_1, ContractVersion::V0_2];

/// A component of the fictitious 0.2. It logs its node, and is `unsure` about streams of odd dice, with the stream's
/// name as the reason; to the others it answers `unsettled` for the node's age. Its fallback is the reason that it is
/// given, its delay the length of the failure's words.
fn next_version() -> Vec<u8> {
    let text = r#"(module
        (import "tidegate:policy/log@0.2.0" "write" (func $log (param i32 i32)))
        (memory (export "memory") 2)
        (global $next (mut i32) (i32.const 65536))
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
          (global.get $next)
          (global.set $next (i32.and (i32.add (i32.add (global.get $next) (local.get 3)) (i32.const 7)) (i32.const -8))))
        (func (export "tidegate:policy/lifecycle@0.2.0#describe") (result i32) i32.const 1024)
        (func (export "tidegate:policy/lifecycle@0.2.0#configure") (param i32 i32) (result i32) i32.const 1024)
        (func (export "tidegate:policy/existence@0.2.0#check")
          (param $name i32) (param $length i32) (param $node i32) (param $node-length i32)
          (param $now i64) (param $age i64) (param $attempts i32) (param $dice i64) (result i32)
          (call $log (local.get $node) (local.get $node-length))
          (if (i64.eqz (i64.and (local.get $dice) (i64.const 1)))
            (then
              (i32.store8 (i32.const 1028) (i32.const 3))
              (i32.store (i32.const 1032) (i32.wrap_i64 (local.get $age))))
            (else
              (i32.store8 (i32.const 1028) (i32.const 5))
              (i32.store (i32.const 1032) (local.get $name))
              (i32.store (i32.const 1036) (local.get $length))))
          i32.const 1024)
        (func (export "tidegate:policy/fallback@0.2.0#choose")
          (param i32 i32 i32 i32 i64 i64 i32 i64 i32 i32) (result i32)
          (i32.store8 (i32.const 1024) (i32.const 1))
          (i32.store (i32.const 1028) (local.get 8))
          (i32.store (i32.const 1032) (local.get 9))
          i32.const 1024)
        (func (export "tidegate:policy/retry@0.2.0#decide")
          (param i32 i32 i32 i32 i64 i64 i32 i64 i32 i32) (result i32) (local.get 9)))"#;
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/wit/fictitious-0.2");
    let (package, _) = resolve.push_path(wit).unwrap();
    let world = resolve.select_world(&[package], Some("policy")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(|mut encoder| encoder.encode())
        .unwrap()
}

fn speaking_both() -> Runtime {
    let settings = RuntimeSettings {
        slots: 4,
        idle: 2,
        yield_every: None,
        cache: None,
        clock: Arc::new(StillClock::default()),
    };
    Runtime::speaking(settings, BOTH).unwrap()
}

fn next_settings() -> PolicySettings {
    PolicySettings::new("next", ComponentSource::Bytes(next_version().into()))
}

#[tokio::test]
async fn two_versions_are_asked_side_by_side() {
    let runtime = speaking_both();
    let present = runtime
        .load(&settings(&Guest::checking("(call $number (i32.const 7))")))
        .await
        .unwrap();
    let next = runtime.load(&next_settings()).await.unwrap();
    assert_eq!(present.contract_version(), "0.1.0");
    assert_eq!(next.contract_version(), "0.2.0");

    assert_eq!(number(&ask(&present).await), 7);
    let even = Facts {
        entropy: 8,
        ..facts()
    };
    let asked = async |question, facts: &Facts| {
        let world = Arc::new(Memory::default());
        next.ask(question, facts, world, values()).await
    };
    let report = asked(Question::Existence, &even).await;
    // The node was first seen at 0, and it is a second later.
    assert_eq!(number(&report), 1_000);
    assert_eq!(report.logs[0].message, "n1");
    let report = asked(Question::Existence, &facts()).await;
    let unsure = Presence::NotExpected("app".to_owned());
    assert_eq!(report.verdict, Ok(Verdict::Existence(unsure)));

    let report = asked(Question::Fallback { reason: "{}" }, &even).await;
    let document = Choice::Document("{}".to_owned());
    assert_eq!(report.verdict, Ok(Verdict::Fallback(document)));
    let failure = Failure::Other("down".to_owned());
    let words = format!("{failure:?}").len() as u64;
    let report = asked(Question::Retry { failure: &failure }, &even).await;
    let after = RetryDecision::After(Duration::from_millis(words));
    assert_eq!(report.verdict, Ok(Verdict::Retry(after)));

    // They may stand in one chain.
    let chain = Chain::new(crate::contract::Role::Existence, vec![next, present]);
    assert!(chain.is_ok());
}

#[tokio::test]
async fn a_version_that_is_not_spoken_is_refused_by_what_is() {
    let error = runtime().load(&next_settings()).await.unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("it is built for the contract 0.2.0, and this host speaks 0.1.0"),
        "{said}"
    );

    let third = wat::parse_str("(component (import \"tidegate:policy/log@0.3.0\" (instance)))");
    let settings = PolicySettings::new("p", ComponentSource::Bytes(third.unwrap().into()));
    let error = speaking_both().load(&settings).await.unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("it is built for the contract 0.3.0, and this host speaks 0.1.0, 0.2.0"),
        "{said}"
    );
}

#[tokio::test]
async fn a_component_of_two_versions_at_once_is_refused() {
    let mixed = wat::parse_str(
        "(component (import \"tidegate:policy/log@0.1.0\" (instance))
           (import \"tidegate:policy/staging@0.2.0\" (instance)))",
    );
    let settings = PolicySettings::new("p", ComponentSource::Bytes(mixed.unwrap().into()));
    let error = speaking_both().load(&settings).await.unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("the contracts 0.1.0 and 0.2.0 at once: build it against one of them"),
        "{said}"
    );
}

#[tokio::test]
async fn every_version_that_is_spoken_is_found_by_its_number() {
    for version in ContractVersion::SPOKEN {
        assert_eq!(ContractVersion::spoken(version.number()), Some(*version));
    }
    assert_eq!(
        ContractVersion::SPOKEN.last(),
        Some(&ContractVersion::NEWEST)
    );
    assert_eq!(ContractVersion::spoken("0.2.0"), None);
}
