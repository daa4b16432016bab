//! What is told of a component, whatever it is.

use super::guest::PUT;
use super::*;
use crate::contract::Role;
use crate::digest::Digest;

async fn inspect(component: &[u8]) -> Inspection {
    runtime().inspect(component.into()).await
}

async fn text(component: &str) -> Inspection {
    inspect(&wat::parse_str(component).unwrap()).await
}

#[tokio::test]
async fn a_policy_is_told_with_its_roles_imports_and_memory() {
    let guest = Guest::checking(
        "(call $put (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 3072)) i32.const 1024",
    )
    .importing(&[PUT]);
    let component = guest.component();
    let told = inspect(&component).await;
    assert!(told.problem.is_none(), "{:?}", told.problem);
    assert_eq!(told.digest, Digest::of(&component));
    assert_eq!(told.size, component.len() as u64);
    assert_eq!(told.initial_memory, Some(2 << 16));
    assert_eq!(told.versions, ["0.1.0"]);
    assert_eq!(told.roles, Role::ALL);
    let offers: Vec<_> = told
        .imports
        .iter()
        .map(|import| (import.name.as_str(), import.offer))
        .collect();
    assert_eq!(
        offers,
        [
            ("tidegate:policy/types@0.1.0", Offer::Offered),
            ("tidegate:policy/object-writer@0.1.0", Offer::NeedsGrant),
        ]
    );
    assert!(told.start.unwrap().fuel > 0);
    assert!(told.description.is_some());
}

#[tokio::test]
async fn a_policy_that_wants_settings_is_described_all_the_same() {
    // An error with one problem: its pointer is empty, its message `cap`.
    let guest = Guest {
        configure: "(i32.store8 (i32.const 1024) (i32.const 1))
            (i32.store (i32.const 1028) (i32.const 3072)) (i32.store (i32.const 1032) (i32.const 1))
            (i32.store (i32.const 3080) (i32.const 2048)) (i32.store (i32.const 3084) (i32.const 3))
            i32.const 1024"
            .to_owned(),
        ..Guest::default()
    };
    let told = inspect(&guest.with_text("cap").component()).await;
    assert!(told.problem.is_none(), "{:?}", told.problem);
    assert_eq!(told.wanted.len(), 1);
    assert_eq!(told.wanted[0].message, "cap");
    assert!(told.description.is_some());
}

#[tokio::test]
async fn what_would_not_load_is_told_as_far_as_it_is_known() {
    let told = text(
        "(component
           (import \"tidegate:policy/log@0.3.0\" (instance))
           (import \"evil:host/shell@1.0.0\" (instance)))",
    )
    .await;
    assert_eq!(told.versions, ["0.3.0"]);
    assert!(
        told.imports
            .iter()
            .all(|import| import.offer == Offer::Unknown)
    );
    assert!(matches!(
        told.problem,
        Some(LoadProblem::UnknownVersion { .. })
    ));

    let trapping = Guest {
        describe: "unreachable".to_owned(),
        ..Guest::default()
    };
    let told = inspect(&trapping.component()).await;
    assert!(matches!(told.problem, Some(LoadProblem::Failed { .. })));
    assert_eq!(told.roles, Role::ALL);
    assert!(told.description.is_none());
}

#[tokio::test]
async fn whatever_the_bytes_are_there_is_an_answer() {
    let component = Guest::default().component();
    for length in (0..component.len()).step_by(97) {
        let told = inspect(&component[..length]).await;
        assert!(told.problem.is_some(), "{length}");
        assert_eq!(told.size, length as u64);
    }
    let core = text("(module (memory 3))").await;
    assert!(matches!(core.problem, Some(LoadProblem::CoreModule)));
    assert_eq!(core.initial_memory, Some(3 << 16));
}
