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
            "6:17: `[` is not a valid glob",
        ),
        (
            "[[rules]]\nstreams = [\"a\"]\nschemas = [\"x\"]",
            "7:12: no schema is named `x`",
        ),
        (
            "[sync]\nrecheck_interval = \"0s\"",
            "6:20: `recheck_interval` must be more than 0s",
        ),
        (
            "[sync]\nattempt_timeout = \"200000000h\"",
            "6:19: `attempt_timeout` in [sync]: `200000000h` is too long: write at most `36500d`",
        ),
        (
            "[policies.p]\ncomponent = \"\"",
            "6:13: `component` is empty: write a path",
        ),
        (
            "[schemas.s]\nfile = \"\"",
            "6:8: `file` is empty: write a path",
        ),
        (
            "[registry]\ncache = \"\"",
            "6:9: `cache` is empty: write a path",
        ),
        (
            "[sync]\nattempt_timeout = \"0s\"",
            "6:19: `attempt_timeout` must be more than 0s",
        ),
        (
            "[sync]\nbounds = { min_delay = \"0s\" }",
            "6:24: `min_delay` must be more than 0s",
        ),
        (
            "[sync]\nbounds = { min_delay = \"2s\", max_delay = \"1s\" }",
            "6:42: `max_delay` must not be less than `min_delay`, which is 2s",
        ),
        (
            "[sync]\nbounds = { min_delay = \"2d\" }",
            "6:24: `min_delay` must not be more than `max_delay`, which is 15m",
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
        (
            "[ledger]\npath = \"\"",
            "6:8: `path` is empty: write a path",
        ),
        (
            "[runtime]\ncache = \"\"",
            "6:9: `cache` is empty: write a path",
        ),
        (
            "[log]\nlevel = \"warning\"",
            "6:9: `warning` is not a level: did you mean `warn`?",
        ),
        (
            "[[rules]]\nstreams = [\"a\"]\nbounds = { max_delay = \"1ms\" }",
            "7:24: `max_delay` must not be less than `min_delay`, which is",
        ),
        ("[runtime]\nslots = 0", "6:9: `slots` must be at least 1"),
        (
            "[verify]\ninterval = \"0s\"",
            "6:12: `interval` must be more",
        ),
        (
            "[verify]\npeers_interval = \"0s\"",
            "6:18: `peers_interval` must be more",
        ),
        (
            "[schemas.s]\ninline = \"{}\"\nfile = \"x\"",
            "5:10: write either",
        ),
        ("[schemas.s]\ninline = \"[]\"", "6:10: not an Arrow schema"),
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
            "`scan_interval` must be more than 0s",
        ),
        (
            "[staging]\ndir = \"s\"\nrescan_interval = \"0s\"\n",
            "`rescan_interval` must be more than 0s",
        ),
        ("[staging]\ndir = \"s\"\nmax_streams = 0\n", "at least 1"),
        ("[staging]\ndir = \"\"\n", "`dir` is empty: write a path"),
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

const FROM: &str = "[store]\nfrom = \"parseable\"\n";

/// The settings of a file with these lines in place of `[store]`, in this environment; else all problems.
fn settings(lines: &str, env: &[(&str, &str)]) -> Result<Settings, Problems> {
    let variable = |name: &str| {
        let found = env.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let source = Source::new("/etc/tidegate.toml", format!("{STAGING}{lines}"));
    Settings::check(&source, &variable)
}

fn store(lines: &str, env: &[(&str, &str)]) -> Result<StoreSettings, Problem> {
    match settings(lines, env) {
        Ok(settings) => Ok(settings.store),
        Err(problems) => Err(problems.first),
    }
}

fn names(variables: &[(String, String)]) -> Vec<&str> {
    variables.iter().map(|(name, _)| &**name).collect()
}

#[test]
fn every_bad_option_is_reported_with_where_it_came_from() {
    let problems = settings(
        "[store]\nurl = \"s3://logs\"\nburst = 0\n[store.options]\nendpoint = \"minio:9000\"\nregion = \"\"\n\
         endpiont = \"x\"\nallow_http = \"maybe\"\nbucket = \"other\"\n",
        &[("AWS_ACCESS_KEY_ID", "AK\n"), ("AWS_SECRET_ACCESS_KEY", "hunter2\nhunter3")],
    )
    .unwrap_err();
    let told: Vec<_> = problems
        .iter()
        .map(|problem| format!("{}: {}", problem.line, problem.message))
        .collect();
    for (at, line) in [
        (
            0,
            "3: the environment variable AWS_ACCESS_KEY_ID ends with a line break: remove it",
        ),
        (
            1,
            "3: the environment variable AWS_SECRET_ACCESS_KEY has several lines: write one",
        ),
        (2, "5: `burst` must be at least 1"),
        (
            3,
            "7: `endpoint` is `minio:9000`, which has no scheme: write `http://minio:9000` or `https://minio:9000`",
        ),
        (
            4,
            "8: `region` is empty: write a value, or leave the option out",
        ),
        (
            5,
            "9: `endpiont` is not an option of this kind of store; did you mean `endpoint`?",
        ),
        (6, "10: `allow_http` is `maybe`: write `true` or `false`"),
        (7, "11: `bucket` is settled by `store.url`: leave it out"),
    ] {
        assert_eq!(told.get(at).map(String::as_str), Some(line), "{told:#?}");
    }
    assert_eq!(told.len(), 8, "{told:#?}");
    assert!(!problems.to_string().contains("hunter"), "{problems}");
}

#[test]
fn a_value_that_is_refused_brings_no_second_problem() {
    let s3 = "[store]\nurl = \"s3://logs\"\n";
    let node = [
        ("P_S3_URL", "http://127.0.0.1:9"),
        ("P_S3_REGION", "r"),
        ("P_S3_BUCKET", "b"),
        ("P_S3_PATH_STYLE", "foo"),
    ];
    for (lines, env, told) in [
        (FROM, &node[..], "P_S3_PATH_STYLE is `foo`"),
        (
            s3,
            &[("AWS_SSE_CUSTOMER_KEY_BASE64", "x")],
            "AWS_SSE_CUSTOMER_KEY_BASE64 is not base64",
        ),
    ] {
        let source = Source::new("/etc/tidegate.toml", format!("{STAGING}{lines}"));
        let variable = |name: &str| {
            let found = env.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let refused = Settings::examine(&source, &variable).unwrap_err();
        let problems = &refused.problems;
        assert!(problems.first.message.contains(told), "{problems}");
        assert!(problems.rest.is_empty(), "{problems}");
        let (_, environment) = refused.usable.store.unwrap();
        assert_eq!(environment.unused, []);
    }
}

#[test]
fn the_server_that_a_key_file_names_is_checked() {
    let gcs = "[store]\nurl = \"gs://logs\"\n";
    let key = |server: &str| format!("{{\"gcs_base_url\": \"{server}\"}}");
    let told = |server: &str| {
        let lines = format!(
            "{gcs}[store.options]\nservice_account_key = '{}'\n",
            key(server)
        );
        let problem = settings(&lines, &[]).err().map(|problems| problems.first);
        problem.map(|problem| problem.message).unwrap_or_default()
    };
    let what = "has a `gcs_base_url` that is `127.0.0.1:9`, which has no scheme";
    assert!(told("127.0.0.1:9").contains(what));
    assert!(told("http://127.0.0.1:90000").contains("`service_account_key` has a"));
    assert_eq!(told("http://127.0.0.1:9"), "");
    let env = [("GOOGLE_SERVICE_ACCOUNT_KEY", &*key("127.0.0.1:9"))];
    let problem = settings(gcs, &env).unwrap_err().first;
    let variable = "the environment variable GOOGLE_SERVICE_ACCOUNT_KEY has a `gcs_base_url`";
    assert!(problem.message.contains(variable), "{}", problem.message);
}

#[test]
fn the_environment_does_not_redirect_what_the_file_says() {
    let lines = "[store]\nurl = \"s3://logs\"\n[store.options]\nendpoint = \"http://127.0.0.1:9000\"\n\
                 region = \"us-east-1\"\nallow_http = true\n";
    let env = [
        ("AWS_ACCESS_KEY_ID", "k"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9"),
        ("AWS_ENDPOINT", "http://127.0.0.1:9"),
        ("AWS_BUCKET", "other"),
        ("AWS_REGION", "other"),
        ("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "true"),
    ];
    let found = settings(lines, &env).unwrap();
    let options: Vec<_> = found
        .store
        .options
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    assert_eq!(
        options,
        [
            "access_key_id=k",
            "allow_http=true",
            "endpoint=http://127.0.0.1:9000",
            "region=us-east-1",
            "secret_access_key=hunter2",
        ]
    );
    let environment = found.store_environment;
    assert_eq!(
        environment.used,
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    );
    assert_eq!(
        names(&environment.unused),
        [
            "AWS_BUCKET",
            "AWS_ENDPOINT_URL_S3",
            "AWS_ENDPOINT",
            "AWS_REGION",
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST"
        ]
    );
    let (_, reason) = &environment.unused[1];
    assert_eq!(reason, "settled by store.options.endpoint");
}

#[test]
fn a_variable_that_would_have_no_effect_is_reported_and_no_problem() {
    let lines = "[store]\nurl = \"s3://logs\"\n";
    let found = settings(lines, &[("AWS_SESSION_TOKEN", "t")]).unwrap();
    assert!(found.store.options.is_empty());
    assert!(found.store_environment.used.is_empty());
    assert_eq!(
        names(&found.store_environment.unused),
        ["AWS_SESSION_TOKEN"]
    );
    let written = format!("{lines}options.session_token = \"t\"\n");
    let problem = store(&written, &[]).unwrap_err();
    assert!(
        problem
            .message
            .contains("has no effect without `access_key_id`"),
        "{problem}"
    );
    let problem = store(lines, &[("AWS_ACCESS_KEY_ID", "k")]).unwrap_err();
    assert!(
        problem.message.contains("AWS_ACCESS_KEY_ID has no effect"),
        "{problem}"
    );
}

#[test]
fn every_variable_of_a_node_is_applied_or_reported() {
    let s3 = [
        ("P_S3_URL", "http://127.0.0.1:9000"),
        ("P_S3_BUCKET", "logs"),
        ("P_S3_REGION", "us-east-1"),
        ("P_S3_ACCESS_KEY", "k"),
        ("P_S3_PATH_STYLE", "true"),
        ("P_S3_CHECKSUM", "false"),
        ("P_S3_TLS_SKIP_VERIFY", "true"),
        ("P_FS_DIR", "/data"),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x"),
    ];
    let azure = [
        ("P_AZR_URL", "http://127.0.0.1:10000"),
        ("P_AZR_ACCOUNT", "account"),
        ("P_AZR_CONTAINER", "logs"),
        ("P_AZR_ACCESS_KEY", "a2V5"),
        ("P_AZR_CLIENT_ID", "id"),
        ("AZURE_STORAGE_TOKEN", "x"),
    ];
    let gcs = [
        ("P_GCS_BUCKET", "logs"),
        ("P_GCS_URL", "https://storage.example"),
        ("P_GCS_TLS_SKIP_VERIFY", "true"),
        ("GOOGLE_BEARER_TOKEN", "x"),
    ];
    let drive = [("P_FS_DIR", "/data"), ("AWS_REGION", "x")];
    for (env, url, options, unused) in [
        (
            &s3[..],
            "s3://logs",
            &[
                "allow_http",
                "allow_invalid_certificates",
                "container_credentials_relative_uri",
                "endpoint",
                "region",
                "virtual_hosted_style_request",
            ][..],
            &["P_S3_ACCESS_KEY", "P_FS_DIR", "AWS_ENDPOINT_URL_S3"][..],
        ),
        (
            &azure,
            "az://logs",
            &["access_key", "account_name", "allow_http", "endpoint"],
            &["P_AZR_CLIENT_ID", "AZURE_STORAGE_TOKEN"],
        ),
        (
            &gcs,
            "gs://logs",
            &["allow_invalid_certificates", "bearer_token"],
            &["P_GCS_URL"],
        ),
        (&drive, "file:///data/", &[], &[]),
    ] {
        let found = settings(FROM, env).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(found.store.url, url);
        let given: Vec<_> = found.store.options.keys().map(String::as_str).collect();
        assert_eq!(given, options, "{url}");
        let environment = found.store_environment;
        assert_eq!(names(&environment.unused), unused, "{url}");
        for (name, _) in env {
            let is_reported = environment.used.iter().any(|used| used == name)
                || names(&environment.unused).contains(name)
                || url.starts_with("file:") && name.starts_with("AWS_");
            assert!(is_reported, "{name} of {url}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_nodes_variables_is_reported_at_once() {
    let told = |lines: &str, env: &[(&str, &str)]| settings(lines, env).unwrap_err().to_string();
    let text = told(
        FROM,
        &[
            ("P_S3_URL", "minio:9000"),
            ("P_S3_CHECKSUM", "yes"),
            ("P_S3_BUCKET", "a/b"),
        ],
    );
    for part in [
        "P_S3_REGION: set it",
        "P_S3_CHECKSUM is `yes`",
        "P_S3_BUCKET is `a/b`",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = told(
        FROM,
        &[
            ("P_S3_URL", "minio:9000"),
            ("P_S3_REGION", "eu north"),
            ("P_S3_BUCKET", "logs"),
        ],
    );
    for part in [
        "the node's variable P_S3_URL is `minio:9000`, which has no scheme",
        "the node's variable P_S3_REGION is `eu north`",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(told(FROM, &[]).contains("names no store"));
    assert!(told(FROM, &[("P_FS_DIR", "data")]).contains("relative path"));
    let both = [("P_S3_BUCKET", "a"), ("P_AZR_CONTAINER", "b")];
    assert!(told(FROM, &both).contains("several kinds"));
    // The file goes before the node's variables, under any name of an option.
    let lines = format!(
        "{FROM}[store.options]\naws_endpoint_url_s3 = \"http://127.0.0.1:9\"\nallow_http = true\n"
    );
    let node = [
        ("P_S3_URL", "http://127.0.0.1:9000"),
        ("P_S3_REGION", "r"),
        ("P_S3_BUCKET", "b"),
    ];
    let found = settings(&lines, &node).unwrap();
    assert_eq!(found.store.options.get("endpoint"), None);
    assert_eq!(names(&found.store_environment.unused), ["P_S3_URL"]);
    let lines = lines.replace("aws_endpoint_url_s3", "endpoint_url");
    let found = settings(&lines, &node).unwrap();
    assert_eq!(found.store.options["endpoint"], "http://127.0.0.1:9");
    assert_eq!(names(&found.store_environment.unused), ["P_S3_URL"]);
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
        let message = format!("`{key}` must be at least 1");
        assert_eq!((problem.line, problem.message), (5, message));
    }
}

#[test]
fn a_secret_may_stand_in_a_file_and_in_one_place_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    fs::write(&path, "hunter2\r\n").unwrap();
    let option_file =
        format!("[store]\nurl = \"s3://b\"\noption_files = {{ secret_access_key = {path:?} }}\n");
    let keys = [("AWS_ACCESS_KEY_ID", "k")];
    let problem = store(&option_file, &keys).unwrap_err();
    assert!(
        problem.message.contains("needs") || problem.message.contains("without `access_key_id`"),
        "{problem}"
    );
    let option_file = format!("{option_file}options.access_key_id = \"k\"\n");
    let settings = store(&option_file, &[]).unwrap();
    assert_eq!(settings.options["secret_access_key"], "hunter2");
    assert_eq!(settings.option_files["secret_access_key"], path);
    let twice = format!("{option_file}options.secret_access_key = \"hunter2\"\n");
    let problem = store(&twice, &[]).unwrap_err();
    assert!(problem.message.contains("leave one out"), "{problem}");
    let alias = format!("{option_file}options.AWS_SECRET_ACCESS_KEY = \"hunter2\"\n");
    let problem = store(&alias, &[]).unwrap_err();
    assert!(problem.message.contains("leave one out"), "{problem}");
    fs::write(&path, "hunter2\nhunter3\n").unwrap();
    let problem = store(&option_file, &[]).unwrap_err();
    assert!(
        problem.message.contains("has several lines") && problem.message.contains("secret"),
        "{problem}"
    );
    assert!(!problem.to_string().contains("hunter"), "{problem}");
    fs::remove_file(&path).unwrap();
    let problem = store(&option_file, &[]).unwrap_err();
    assert!(problem.message.contains("can't read"), "{problem}");
}

#[test]
fn a_parseable_nodes_store_is_taken_as_its_environment_says() {
    const SSE_C: &str = "SSE-C:AES256:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let node = [
        ("P_S3_URL", "https://logs.s3.example"),
        ("P_S3_BUCKET", "logs"),
        ("P_S3_REGION", "eu-north-1"),
    ];
    let settings = store(FROM, &node).unwrap();
    assert_eq!(settings.url, "s3://logs");
    let options: Vec<_> = settings.options.iter().collect();
    assert_eq!(options.len(), 2, "nothing is added: {options:?}");

    let more = [
        ("P_S3_ACCESS_KEY", "key"),
        ("P_S3_SECRET_KEY", "secret"),
        ("P_S3_PATH_STYLE", "False"),
        ("P_S3_TLS_SKIP_VERIFY", "true"),
        ("P_S3_SSEC_ENCRYPTION_KEY", SSE_C),
        ("P_S3_CHECKSUM", "true"),
        ("P_AWS_IMDSV1_FALLBACK", "true"),
        ("P_AWS_METADATA_ENDPOINT", "http://127.0.0.1:9"),
    ];
    let all: Vec<_> = node.into_iter().chain(more).collect();
    let options = store(FROM, &all).unwrap().options;
    for (option, value) in [
        ("endpoint", "https://logs.s3.example"),
        ("region", "eu-north-1"),
        ("access_key_id", "key"),
        ("secret_access_key", "secret"),
        ("virtual_hosted_style_request", "true"),
        ("allow_invalid_certificates", "true"),
        ("server_side_encryption", "sse-c"),
        (
            "sse_customer_key_base64",
            "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        ),
        ("checksum_algorithm", "sha256"),
        ("imdsv1_fallback", "true"),
        ("metadata_endpoint", "http://127.0.0.1:9"),
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

#[test]
fn every_problem_is_reported_at_once() {
    let problems = settings(
        "scan_interval = \"0s\"\nmax_streams = 0\n[store]\nurl = \"memory:///\"\n[ledger]\npath = \"\"\n\
         [sync]\nattempt_timeout = \"0s\"\nrecheck_interval = \"0s\"\nexistence = [\"presense\"]\n\
         bounds = { min_delay = \"0s\" }\n[schemas.s]\ninline = \"[]\"\n[[rules]]\nstreams = [\"[a\", \"b\", \"[c\"]\n\
         schemas = [\"s\", \"t\"]\nretry = [\"bakoff\"]\n[[rules]]\nstreams = [\"d\"]\n\
         bounds = { min_delay = \"2d\" }\n[[rules]]\nignore = true\n[policies.p]\n\
         component = \"builtin:presnce\"\nsha256 = \"12\"\n[verify]\ninterval = \"0s\"\npeers_interval = \"0s\"\n\
         [runtime]\nslots = 0\ncache = \"\"\n[log]\nlevel = \"loud\"\n[registry]\n\
         redirects = [\"a/b\", \"c/d\"]\ntimeout = \"0s\"\n[trust]\nkeys = [\"one\", \"two\"]\n",
        &[],
    )
    .unwrap_err();
    let told: Vec<_> = problems
        .iter()
        .map(|problem| format!("{}: {}", problem.line, problem.message))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    3: `scan_interval` must be more than 0s
    4: `max_streams` must be at least 1
    8: `path` is empty: write a path
    10: `attempt_timeout` must be more than 0s
    11: `recheck_interval` must be more than 0s
    12: no policy is named `presense`; did you mean `presence`?
    13: `min_delay` must be more than 0s: it keeps the store from being hammered
    15: not an Arrow schema: JSON, but no Arrow schema: invalid length 0, expected struct Schema with 2 elements at line 1 column 2
    17: `[a` is not a valid glob: unclosed character class; missing ']'
    17: `[c` is not a valid glob: unclosed character class; missing ']'
    18: no schema is named `t`; expected one of s
    19: no policy is named `bakoff`; did you mean `backoff`?
    22: `min_delay` must not be more than `max_delay`, which is 15m: lower it, or write `max_delay` too
    23: a rule without `streams` and `tenants` matches everything: write it in [sync]
    26: no bundled policy is named `presnce`; did you mean `presence`?
    27: `12` is no SHA-256 in hexadecimal
    29: `interval` must be more than 0s
    30: `peers_interval` must be more than 0s
    32: `slots` must be at least 1
    33: `cache` is empty: write a path
    35: `loud` is not a level: expected one of error, warn, info, debug, trace, off; the level of one crate is written `CRATE=LEVEL`
    37: `a/b` is not a host: write it as `registry.example.com` or `registry.example.com:5000`
    37: `c/d` is not a host: write it as `registry.example.com` or `registry.example.com:5000`
    38: `timeout` must be more than 0s
    40: `one` is not a valid public key: it does not begin with `ed25519:`, the only kind there is; a key is `ed25519:…`, or the path of a .pem file with the public key
    40: `two` is not a valid public key: it does not begin with `ed25519:`, the only kind there is; a key is `ed25519:…`, or the path of a .pem file with the public key
    ");
}

#[test]
fn names_that_no_bucket_has_are_refused_by_their_variable() {
    let told = |env: &[(&str, &str)]| settings(FROM, env).unwrap_err().to_string();
    for (name, problem) in [
        ("bkt\n", "ends with a line break"),
        ("bkt ", "white space at its start or end"),
        ("b\tkt", "control character U+0009"),
        ("..", "must not begin or end with `.`"),
        ("a/b", "may hold letters, digits"),
        ("$BUCKET", "was not expanded"),
        ("a\u{fffd}", "is not UTF-8 text"),
    ] {
        for env in [
            &[
                ("P_S3_BUCKET", name),
                ("P_S3_URL", "http://127.0.0.1:9"),
                ("P_S3_REGION", "r"),
            ][..],
            &[
                ("P_AZR_CONTAINER", name),
                ("P_AZR_URL", "http://127.0.0.1:9"),
                ("P_AZR_ACCOUNT", "a"),
            ],
            &[("P_GCS_BUCKET", name)],
        ] {
            let (variable, _) = env[0];
            let text = told(env);
            let subject = format!("the node's variable {variable} ");
            assert!(text.contains(&subject) && text.contains(problem), "{text}");
            assert!(!text.contains("URL"), "{text}");
        }
    }
    for (dir, problem) in [
        ("/data\n", "ends with a line break"),
        ("/data/../x", "holds `..`"),
        ("/data/${DIR}", "was not expanded"),
    ] {
        let text = told(&[("P_FS_DIR", dir)]);
        let subject = "the node's variable P_FS_DIR ";
        assert!(text.contains(subject) && text.contains(problem), "{text}");
    }
}

#[test]
fn what_a_nodes_variable_settles_is_settled_by_that_variable() {
    let mut env = vec![
        ("P_S3_URL", "http://127.0.0.1:9000"),
        ("P_S3_BUCKET", "logs"),
        ("P_S3_REGION", "us-east-1"),
        ("AWS_BUCKET", "other"),
    ];
    let found = settings(FROM, &env).unwrap();
    let unused = found.store_environment.unused;
    assert_eq!(
        unused,
        [("AWS_BUCKET".to_owned(), "settled by P_S3_BUCKET".to_owned())]
    );
    env.pop();
    let lines = format!("{FROM}options.bucket = \"other\"\n");
    let problem = store(&lines, &env).unwrap_err();
    assert_eq!(
        problem.message,
        "`bucket` is settled by P_S3_BUCKET: leave it out"
    );
    env.push(("P_S3_PATH_STYLE", "false"));
    let problem = store(FROM, &env).unwrap_err();
    assert!(
        problem
            .message
            .contains("variable P_S3_PATH_STYLE asks for the bucket in the host name")
            && problem
                .message
                .contains("begin the host in P_S3_URL with `logs.`"),
        "{problem}"
    );
}

#[test]
fn a_file_that_can_not_be_read_does_not_count_as_left_out() {
    let problems = settings(
        "[store]\nurl = \"s3://logs\"\noptions.access_key_id = \"k\"\n\
         option_files.secret_access_key = \"/nowhere/at/all\"\n",
        &[],
    )
    .unwrap_err();
    assert!(problems.rest.is_empty(), "{problems}");
    assert!(problems.first.message.contains("can't read"), "{problems}");
    // Of two variables both are named.
    let problem = store(
        "[store]\nurl = \"s3://logs\"\n",
        &[("AWS_ACCESS_KEY_ID", "k")],
    );
    assert_eq!(
        problem.unwrap_err().message,
        "the environment variable AWS_ACCESS_KEY_ID has no effect without AWS_SECRET_ACCESS_KEY: write both"
    );
}

#[test]
fn a_client_that_sends_no_conditions_is_refused_unless_that_is_accepted() {
    const STORE: &str = "[store]\nurl = \"s3://logs\"\n";
    let written = format!("{STORE}options.conditional_put = \"disabled\"\n");
    let problem = store(&written, &[]).unwrap_err();
    assert!(
        problem
            .message
            .starts_with("`conditional_put` is `disabled`"),
        "{problem}"
    );
    let problem = store(STORE, &[("AWS_CONDITIONAL_PUT", "disabled")]).unwrap_err();
    assert!(
        problem
            .message
            .starts_with("the environment variable AWS_CONDITIONAL_PUT is `disabled`"),
        "{problem}"
    );
    let accepted = format!("{written}conditional_writes = \"best-effort\"\n");
    store(&accepted, &[]).unwrap();
}

#[test]
fn a_store_and_a_staging_directory_share_no_files() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name).display().to_string();
    fs::create_dir_all(path("staging/app")).unwrap();
    fs::create_dir_all(path("data/staging")).unwrap();
    std::os::unix::fs::symlink(path("staging"), path("link")).unwrap();
    let check = |staging: &str, store: &str, lines: &str| {
        let text = format!(
            "[staging]\ndir = {staging:?}\n[store]\nurl = \"file://{}\"\n{lines}",
            path(store)
        );
        let source = Source::new(root.path().join("tidegate.toml"), text);
        Settings::from_source(&source, &nothing).map_err(|problem| problem.to_string())
    };
    for (staging, store, told) in [
        ("staging", "staging", "is the staging directory"),
        ("staging", "link", "is the staging directory"),
        (
            "staging",
            "staging/app",
            "lies inside the staging directory",
        ),
        (
            "staging",
            "link/new/store",
            "lies inside the staging directory",
        ),
        ("data/staging", "data", "holds the staging directory"),
    ] {
        let text = check(staging, store, "").unwrap_err();
        assert!(
            text.contains(told) && text.contains("correct `store.url`"),
            "{text}"
        );
    }
    let scratch = format!("options.scratch = {:?}\n", path("staging/tmp"));
    let text = check("staging", "store", &scratch).unwrap_err();
    assert!(text.contains("the scratch directory"), "{text}");
    for (table, cache, inside) in [
        ("runtime", "link/cache", "the staging directory"),
        ("runtime", "store/cache", "the store"),
        ("registry", "staging/cache", "the staging directory"),
    ] {
        let lines = format!("[{table}]\ncache = {:?}\n", path(cache));
        let text = check("staging", "store", &lines).unwrap_err();
        assert!(text.contains(&format!("lies inside {inside}")), "{text}");
        assert!(text.contains("6:9"), "{text}");
    }
    for (staging, store) in [
        ("staging", "store"),
        ("staging", "staging2"),
        ("data/staging", "data/store"),
    ] {
        check(staging, store, "").unwrap();
    }
    let text = format!("[staging]\ndir = {:?}\n{FROM}", path("staging"));
    let env = |name: &str| (name == "P_FS_DIR").then(|| path("staging"));
    let problem = Settings::from_source(&Source::new("tidegate.toml", text), &env).unwrap_err();
    assert!(problem.message.contains("correct P_FS_DIR or"), "{problem}");
}

#[test]
fn of_a_nodes_two_credentials_the_one_that_it_does_not_use_is_reported() {
    let env = [
        ("P_AZR_URL", "http://127.0.0.1:10000"),
        ("P_AZR_ACCOUNT", "account"),
        ("P_AZR_CONTAINER", "logs"),
        ("P_AZR_ACCESS_KEY", "a2V5"),
        ("P_AZR_CLIENT_ID", "id"),
        ("P_AZR_CLIENT_SECRET", "secret"),
        ("P_AZR_TENANT_ID", "tenant"),
    ];
    let found = settings(FROM, &env).unwrap();
    assert_eq!(
        found.store_environment.unused,
        [(
            "P_AZR_CLIENT_SECRET".to_owned(),
            "has no effect beside P_AZR_ACCESS_KEY: leave one out".to_owned()
        )]
    );
    assert!(!found.store.options.contains_key("client_secret"));
}
