//! The bundled policies, as the binary carries them.

use super::*;

#[tokio::test]
async fn every_bundled_policy_loads_with_its_defaults_and_describes_itself() {
    let runtime = runtime();
    for name in builtin_names() {
        let settings = PolicySettings::new(name, ComponentSource::Builtin(name.to_owned()));
        let policy = runtime
            .load(&settings)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(policy.description().name, name);
        assert!(!policy.roles().is_empty(), "{name}");
        assert!(!policy.description().summary.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_bundled_policy_names_the_setting_that_it_refuses() {
    let mut settings = PolicySettings::new("p", ComponentSource::Builtin("presence".to_owned()));
    settings.settings = serde_json::json!({ "grace": "soon" });
    let error = runtime().load(&settings).await.unwrap_err();
    assert!(error.to_string().contains("\n  /grace: "), "{error}");
}
