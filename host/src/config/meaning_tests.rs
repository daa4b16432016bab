//! What a configuration means once it is read: which rule is for which stream, where secrets come from, and what is
//! refused although it is well written.

use std::fs;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::policy::{Grants, Instances};
use crate::storage::{ConditionalWrites, StoreSettings};
use crate::stream::StreamId;
use crate::sync::Matcher;

const STAGING: &str = "[staging]\ndir = \"staging\"\n";
const STORE: &str = "[store]\nurl = \"memory:///\"\n";

fn nothing(_: &str) -> Option<String> {
    None
}

fn read(text: &str) -> Result<Settings, Problem> {
    Settings::from_source(&Source::new("/etc/tidegate.toml", text), &nothing)
}

/// The minimal file with these lines behind it, which begin at line 5.
fn with(lines: &str) -> Settings {
    read(&format!("{STAGING}{STORE}{lines}")).unwrap_or_else(|problem| panic!("{problem}"))
}

fn refused(lines: &str) -> String {
    let problem = read(&format!("{STAGING}{STORE}{lines}")).unwrap_err();
    format!("{}:{}: {}", problem.line, problem.column, problem.message)
}

#[test]
fn a_minimal_file_is_enough() {
    let settings = with("");
    assert_eq!(settings.staging.dir, Path::new("/etc/staging"));
    assert_eq!(settings.ledger.path, Path::new("/etc/ledger.db"));
    assert_eq!(
        settings.policies.keys().collect::<Vec<_>>(),
        ["backoff", "ladder", "presence"]
    );
    assert!(settings.write && settings.watch);
    assert_eq!(
        settings.store.conditional_writes,
        ConditionalWrites::Required
    );
    assert!(!with("[sync]\nwrite = false").write);
    assert_eq!(settings.scan_interval, Duration::from_secs(5));
    assert_eq!(settings.rescan_interval, Duration::from_secs(1_800));
    assert_eq!(settings.staging.max_watches, 1_000_000);
}

#[test]
fn a_rule_is_for_the_streams_and_tenants_that_its_globs_name() {
    let settings = with(
        "[[rules]]\nstreams = [\"app-*\", \"web\"]\n[[rules]]\ntenants = [\"acme\"]\n\
         [[rules]]\nstreams = [\"app\"]\ntenants = [\"a*\", \"b\"]\nignore = true\n",
    );
    let [named, tenants, both] = settings.rules.as_slice() else {
        panic!("three rules");
    };
    let takes = |matcher: &Matcher, tenant: Option<&str>, name: &str| {
        matcher.matches(&match tenant {
            Some(tenant) => StreamId::with_tenant(tenant, name),
            None => StreamId::new(name),
        })
    };
    assert!(takes(&named.matcher, None, "app-1") && takes(&named.matcher, Some("t"), "web"));
    assert!(!takes(&named.matcher, None, "app") && !takes(&named.matcher, None, "webs"));
    assert!(takes(&tenants.matcher, Some("acme"), "any"));
    assert!(!takes(&tenants.matcher, None, "any") && !takes(&tenants.matcher, Some("b"), "any"));
    assert!(takes(&both.matcher, Some("b"), "app"));
    assert!(!takes(&both.matcher, Some("b"), "web") && !takes(&both.matcher, Some("c"), "app"));
    assert!(both.settings.is_none() && named.settings.is_some());
}

#[test]
fn what_can_not_be_meant_is_refused_at_its_place() {
    for (lines, told) in [
        ("[[rules]]\nretry = [\"never\"]", "5:1: a rule without"),
        (
            "[[rules]]\nstreams = [\"a\", \"[\"]",
            "6:17: `[` is no glob",
        ),
        (
            "[[rules]]\nstreams = [\"a\"]\nschemas = [\"x\"]",
            "7:12: no schema is named `x`",
        ),
        (
            "[sync]\nrecheck_interval = \"0s\"",
            "6:20: must be more than nothing",
        ),
        (
            "[sync]\nattempt_timeout = \"0s\"",
            "6:19: must be more than nothing",
        ),
        (
            "[sync]\nbounds = { min_delay = \"0s\" }",
            "6:24: must be more than nothing",
        ),
        (
            "[sync]\nbounds = { min_delay = \"2s\", max_delay = \"1s\" }",
            "6:42: `max_delay` must not be less",
        ),
        (
            "[sync]\nbounds = { min_delay = \"2d\" }",
            "6:24: `max_delay` must not be less",
        ),
        (
            "[policies.p]\ncomponent = \"builtin:presnce\"",
            "6:13: no bundled policy",
        ),
        (
            "[sync]\nretry = [\"bakoff\"]",
            "6:10: no policy is named `bakoff`; did you mean `backoff`?",
        ),
        (
            "[policies.p]\ncomponent = \"builtin:never\"\nlimits = { fuel = 0 }",
            "7:1: `limits.fuel` is 0",
        ),
        (
            "[policies.p]\ncomponent = \"p.wasm\"\nsha256 = \"12\"",
            "7:10: ",
        ),
        ("[node]\nid = \"a/b\"", "6:6: a node's id is one segment"),
        ("[node]\nid = \"..\"", "6:6: a node's id is one segment"),
        ("[runtime]\nslots = 0", "6:9: must be at least 1"),
        ("[verify]\ninterval = \"0s\"", "6:12: must be more"),
        ("[verify]\npeers_interval = \"0s\"", "6:18: must be more"),
        (
            "[schemas.s]\ninline = \"{}\"\nfile = \"x\"",
            "5:10: write either",
        ),
        ("[schemas.s]\ninline = \"[]\"", "6:10: no Arrow schema"),
        (
            "[schemas.s]\nfile = \"gone.json\"",
            "6:8: can't read gone.json",
        ),
    ] {
        let problem = refused(lines);
        assert!(problem.starts_with(told), "{lines}\n{problem}");
    }
    for (text, told) in [
        (
            "[staging]\ndir = \"s\"\nscan_interval = \"0s\"\n",
            "more than nothing",
        ),
        (
            "[staging]\ndir = \"s\"\nrescan_interval = \"0s\"\n",
            "more than nothing",
        ),
        ("[staging]\ndir = \"s\"\nmax_streams = 0\n", "at least 1"),
        (
            "[staging]\ndir = \"s\"\nlayout = \"plain\"\n",
            "needs the node's identity",
        ),
        (
            "[node]\nid = \"n\"\n[staging]\ndir = \"s\"\nlayout = \"plain\"\nmode = \"ingest\"\n",
            "only the parseable layout",
        ),
    ] {
        let problem = read(&format!("{text}{STORE}")).unwrap_err();
        assert!(problem.message.contains(told), "{text}\n{problem}");
    }
}

#[test]
fn policies_take_what_their_tables_say() {
    let settings = with(
        "[sync]\nquarantine_after = 2\nquarantine_for = \"3m\"\n\
         [policies.own]\ncomponent = \"own.wasm\"\ninstances = \"reuse\"\nlimits = { fuel = 7 }\n\
         [policies.never]\ncomponent = \"builtin:never\"\n",
    );
    let own = &settings.policies["own"];
    assert_eq!(own.instances, Instances::Reuse);
    assert_eq!(own.limits.fuel, 7);
    assert_eq!(own.grants, Grants::default(), "nothing is granted unasked");
    assert!(!settings.policies["never"].grants.read.is_empty());
    for policy in settings.policies.values() {
        assert_eq!(policy.quarantine_after, 2, "{}", policy.name);
        assert_eq!(policy.quarantine_for, Duration::from_secs(180));
    }
}

fn store(lines: &str, env: &[(&str, &str)]) -> Result<StoreSettings, Problem> {
    let variable = |name: &str| {
        let found = env.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let source = Source::new("/etc/tidegate.toml", format!("{STAGING}{lines}"));
    Settings::from_source(&source, &variable).map(|settings| settings.store)
}

#[test]
fn bounds_of_a_store_are_numbers_from_one() {
    let settings = store(
        "[store]\nurl = \"memory:///\"\nmax_in_flight = 2\nrequests_per_second = 3\nburst = 4\n\
         conditional_writes = \"best-effort\"\n",
        &[],
    )
    .unwrap();
    let bounds = [
        settings.max_in_flight,
        settings.requests_per_second,
        settings.burst,
    ];
    assert_eq!(bounds.map(NonZeroU32::get), [2, 3, 4]);
    assert_eq!(settings.conditional_writes, ConditionalWrites::BestEffort);
    for key in ["max_in_flight", "requests_per_second", "burst"] {
        let problem = store(&format!("[store]\nurl = \"memory:///\"\n{key} = 0\n"), &[]);
        let problem = problem.unwrap_err();
        assert_eq!((problem.line, &*problem.message), (5, "must be at least 1"));
    }
}

#[test]
fn a_secret_may_stand_in_a_file_and_in_one_place_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    fs::write(&path, "hunter2\r\n").unwrap();
    let option_file =
        format!("[store]\nurl = \"s3://b\"\noption_files = {{ secret_access_key = {path:?} }}\n");
    let settings = store(&option_file, &[]).unwrap();
    assert_eq!(settings.options["secret_access_key"], "hunter2");
    let twice = format!("{option_file}options = {{ secret_access_key = \"hunter2\" }}\n");
    let problem = store(&twice, &[]).unwrap_err();
    assert!(problem.message.contains("leave one out"), "{problem}");
    fs::remove_file(&path).unwrap();
    let problem = store(&option_file, &[]).unwrap_err();
    assert!(problem.message.contains("can't read"), "{problem}");
}

#[test]
fn a_parseable_nodes_store_is_taken_as_its_environment_says() {
    const FROM: &str = "[store]\nfrom = \"parseable\"\n";
    let node = [
        ("P_S3_URL", "https://s3.example"),
        ("P_S3_BUCKET", "logs"),
        ("P_S3_REGION", "eu-north-1"),
    ];
    let settings = store(FROM, &node).unwrap();
    assert_eq!(settings.url, "s3://logs");
    let options: Vec<_> = settings.options.iter().collect();
    assert_eq!(options.len(), 2, "nothing is made up: {options:?}");

    let more = [
        ("P_S3_ACCESS_KEY", "key"),
        ("P_S3_SECRET_KEY", "secret"),
        ("P_S3_PATH_STYLE", "False"),
        ("P_S3_TLS_SKIP_VERIFY", "true"),
        ("P_S3_SSEC_ENCRYPTION_KEY", "SSE-C:AES256:a2V5"),
    ];
    let all: Vec<_> = node.into_iter().chain(more).collect();
    let options = store(FROM, &all).unwrap().options;
    for (option, value) in [
        ("endpoint", "https://s3.example"),
        ("region", "eu-north-1"),
        ("access_key_id", "key"),
        ("secret_access_key", "secret"),
        ("virtual_hosted_style_request", "true"),
        ("allow_invalid_certificates", "true"),
        ("aws_server_side_encryption", "sse-c"),
        ("aws_sse_customer_key_base64", "a2V5"),
    ] {
        assert_eq!(
            options.get(option).map(String::as_str),
            Some(value),
            "{option}"
        );
    }
    assert!(!options.contains_key("allow_http"));

    for (missing, _) in node {
        let rest: Vec<_> = node
            .into_iter()
            .filter(|(name, _)| *name != missing)
            .collect();
        let problem = store(FROM, &rest).unwrap_err();
        assert!(problem.message.contains(missing), "{problem}");
    }
    let mut odd = node.to_vec();
    odd.push(("P_S3_SSEC_ENCRYPTION_KEY", "hunter2"));
    let problem = store(FROM, &odd).unwrap_err().to_string();
    assert!(
        problem.contains("SSE-C:AES256") && !problem.contains("hunter2"),
        "{problem}"
    );
    let both = store("[store]\nurl = \"s3://b\"\nfrom = \"parseable\"\n", &node).unwrap_err();
    assert!(both.message.contains("exclude each other"), "{both}");
    let neither = store("[store]\n", &node).unwrap_err();
    assert!(neither.message.contains("missing key `url`"), "{neither}");
}
