//! `tidegate check`, the slips that every command answers, and what stands beside it: `version`, `ledger recover`,
//! `demo`.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use tidegate_tests::command::{Ran, command, is_superuser, tidegate, unprivileged};
use tidegate_tests::s3::Endpoint;

const CAPTURED: &str = "data/parseable-2.9.5";

/// A directory with the captured node's staging directory, an empty store and this configuration.
fn node(configuration: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy(
        &Path::new(CAPTURED).join("staging"),
        &dir.path().join("staging"),
    );
    // The store knows one of the two streams.
    let stream = dir.path().join("store/app/.stream");
    fs::create_dir_all(&stream).unwrap();
    let marker = Path::new(CAPTURED).join("store/app/.stream/.stream.json");
    fs::copy(marker, stream.join(".stream.json")).unwrap();
    let text = configuration.replace("DIR", &dir.path().display().to_string());
    fs::write(dir.path().join("tidegate.toml"), text).unwrap();
    dir
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => _ = fs::copy(entry.path(), target).unwrap(),
        }
    }
}

fn ran(dir: &Path, arguments: &[&str]) -> Ran {
    tidegate(dir, arguments).unwrap()
}

/// What a command says in a directory with this configuration.
fn said(configuration: &str, arguments: &[&str]) -> String {
    let dir = node(configuration);
    ran(dir.path(), arguments).shown(dir.path())
}

/// The end of a configuration whose first four lines are `[staging]` and `[store]`.
fn checked(lines: &str) -> String {
    said(&format!("{FINE}{lines}"), &["check"])
}

const FINE: &str = "[staging]\ndir = \"staging\"\n[store]\nurl = \"file://DIR/store\"\n";

#[test]
fn a_usable_configuration_is_told_thing_by_thing_and_nothing_is_changed() {
    let dir = node(FINE);
    let run = ran(dir.path(), &["check", "--online"]);
    assert_snapshot!(run.shown(dir.path()), @"
    exit 0
    ok    configuration    tidegate.toml
    ok    staging          staging can be read
    ok    node             95659b0612138de
    ok    layout           parseable: STREAM/.ingestor.95659b0612138de.schema is published as STREAM/.stream/.ingestor.95659b0612138de.schema
    ok    store            file://DIR/store answers and may be read
    ok    store writes     it honours conditional writes, one after another and in a race
    ok    streams          the store knows streams of this node
    ok    ledger           ledger.db does not exist yet and will be created
    ok    policy backoff   builtin:backoff 0.1.0, retry, sha256 …
    ok    policy ladder    builtin:ladder 0.1.0, fallback, sha256 …
    ok    policy presence  builtin:presence 0.1.0, existence, sha256 …

    all is well
    ");
    let mut left: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        // Opening a store of local files prepares a directory beside it.
        .filter(|name| name != ".tidegate-store")
        .collect();
    left.sort();
    // Compiled policies are kept next to where the ledger will be.
    assert_eq!(left, ["cache", "staging", "store", "tidegate.toml"]);
}

#[test]
fn json_says_the_same() {
    assert_snapshot!(said(FINE, &["check", "--json"]), @r#"
    exit 0
    {
      "version": 1,
      "ok": true,
      "config": "tidegate.toml",
      "checks": [
        {
          "subject": "configuration",
          "state": "ok",
          "text": "tidegate.toml"
        },
        {
          "subject": "staging",
          "state": "ok",
          "text": "staging can be read"
        },
        {
          "subject": "node",
          "state": "ok",
          "text": "95659b0612138de"
        },
        {
          "subject": "layout",
          "state": "ok",
          "text": "parseable: STREAM/.ingestor.95659b0612138de.schema is published as STREAM/.stream/.ingestor.95659b0612138de.schema"
        },
        {
          "subject": "store",
          "state": "ok",
          "text": "file://DIR/store (not asked; `--online` does)"
        },
        {
          "subject": "ledger",
          "state": "ok",
          "text": "ledger.db does not exist yet and will be created"
        },
        {
          "subject": "policy backoff",
          "state": "ok",
          "text": "builtin:backoff 0.1.0, retry, sha256 …"
        },
        {
          "subject": "policy ladder",
          "state": "ok",
          "text": "builtin:ladder 0.1.0, fallback, sha256 …"
        },
        {
          "subject": "policy presence",
          "state": "ok",
          "text": "builtin:presence 0.1.0, existence, sha256 …"
        }
      ]
    }
    "#);
}

#[test]
fn all_that_is_wrong_with_the_file_is_said_at_once() {
    assert_snapshot!(checked(
        "[layouts.mine]\nstaged = \"{stream}/x\"\nstored = \"{stream}/y\"\n[sync]\nexistence = [\"presense\"]\n\
         [log]\nlevel = \"a=b=c\"\n[runtime]\nslots = 0\n"
    ), @r#"
    exit 2
    FAIL  configuration  tidegate.toml:7:10: template `{stream}/y`: the last segment must hold `{node}`, since each node owns its key
                           |
                         7 | stored = "{stream}/y"
                           |          ^^^^^^^^^^^^
    FAIL  configuration  tidegate.toml:9:14: no policy is named `presense`; did you mean `presence`?
                           |
                         9 | existence = ["presense"]
                           |              ^^^^^^^^^^
    FAIL  configuration  tidegate.toml:11:9: `b=c` in `a=b=c` is not a level: expected one of error, warn, info, debug, trace, off
                            |
                         11 | level = "a=b=c"
                            |         ^^^^^^^
    FAIL  configuration  tidegate.toml:13:9: `slots` must be at least 1
                            |
                         13 | slots = 0
                            |         ^
    ok    staging        staging can be read
    ok    node           95659b0612138de
    ok    ledger         ledger.db does not exist yet and will be created
    –     all else       not looked at while the configuration is wrong

    4 problems: see FAIL above
    "#);
}

#[test]
fn a_wrong_key_elsewhere_does_not_hide_what_a_policy_refuses() {
    assert_snapshot!(checked(
        "[policies.patient]\ncomponent = \"builtin:backoff\"\nsettings = { factor = 0.5 }\n\
         [policies.hasty]\ncomponent = \"builtin:backoff\"\nsetings = { factor = 0.5 }\n\
         [policies.away]\ncomponent = \"away.wasm\"\n\
         [runtime]\nslots = 0\n"
    ), @r#"
    exit 2
    FAIL  configuration   tidegate.toml:10:1: unknown key `setings` in [policies.hasty]; did you mean `settings`?
                             |
                          10 | setings = { factor = 0.5 }
                             | ^^^^^^^
    FAIL  configuration   tidegate.toml:14:9: `slots` must be at least 1
                             |
                          14 | slots = 0
                             |         ^
    ok    staging         staging can be read
    ok    node            95659b0612138de
    ok    ledger          ledger.db does not exist yet and will be created
    FAIL  policy away     tidegate.toml:12:13: policy `away` (away.wasm): can't read `away.wasm`: No such file or directory (os error 2)
                             |
                          12 | component = "away.wasm"
                             |             ^^^^^^^^^^^
    FAIL  policy patient  tidegate.toml:7:23: policy `patient` refuses `/factor`: 0.5 is not between 1 and 100
                            |
                          7 | settings = { factor = 0.5 }
                            |                       ^^^
    –     all else        not looked at while the configuration is wrong

    4 problems: see FAIL above
    "#);
    // Who must vouch for a component is not known.
    let run = checked(
        "[policies.away]\ncomponent = \"away.wasm\"\n[trust]\nkeys = [\"ed25519:short\"]\n",
    );
    assert!(!run.contains("away.wasm"), "{run}");
}

#[test]
fn an_unknown_key_has_a_suggestion() {
    assert_snapshot!(checked("[sync]\nfalback = []\n"), @r#"
    exit 2
    FAIL  configuration  tidegate.toml:6:1: unknown key `falback` in [sync]; did you mean `fallback`?
                           |
                         6 | falback = []
                           | ^^^^^^^
    ok    staging        staging can be read
    ok    node           95659b0612138de
    ok    ledger         ledger.db does not exist yet and will be created
    –     all else       not looked at while the configuration is wrong

    1 problem: see FAIL above
    "#);
}

#[test]
fn settings_that_a_policy_refuses_are_shown_where_they_stand() {
    assert_snapshot!(checked(
        "[policies.presence]\ncomponent = \"builtin:presence\"\nsettings = { grase = \"2m\", settle = \"soon\" }\n"
    ), @r#"
    exit 5
    ok    configuration    tidegate.toml
    ok    staging          staging can be read
    ok    node             95659b0612138de
    ok    layout           parseable: STREAM/.ingestor.95659b0612138de.schema is published as STREAM/.stream/.ingestor.95659b0612138de.schema
    ok    store            file://DIR/store (not asked; `--online` does)
    ok    ledger           ledger.db does not exist yet and will be created
    ok    policy backoff   builtin:backoff 0.1.0, retry, sha256 …
    ok    policy ladder    builtin:ladder 0.1.0, fallback, sha256 …
    FAIL  policy presence  tidegate.toml:7:22: policy `presence` refuses `/grase`: unknown key `grase`; did you mean `grace`?
                             |
                           7 | settings = { grase = "2m", settle = "soon" }
                             |                      ^^^^
    FAIL  policy presence  tidegate.toml:7:37: policy `presence` refuses `/settle`: `soon` is no duration; write it like "250ms", "30s", "2m" or "1h"
                             |
                           7 | settings = { grase = "2m", settle = "soon" }
                             |                                     ^^^^^^

    2 problems: see FAIL above
    "#);
}

#[test]
fn policies_that_can_not_be_used_are_told_apart() {
    let dir = node(&format!(
        "{FINE}[policies.gone]\ncomponent = \"gone.wasm\"\n[policies.core]\ncomponent = \"core.wasm\"\n\
         [policies.pinned]\ncomponent = \"builtin:never\"\nsha256 = \"{}\"\n\
         [policies.grants]\ncomponent = \"builtin:never\"\ngrants = {{ write = [\".tidegate/x/\"] }}\n\
         [sync]\nretry = [\"ladder\"]\n",
        "0".repeat(64)
    ));
    fs::write(dir.path().join("core.wasm"), b"\0asm\x01\0\0\0").unwrap();
    assert_snapshot!(ran(dir.path(), &["check"]).shown(dir.path()), @r#"
    exit 5
    ok    configuration    tidegate.toml
    ok    staging          staging can be read
    ok    node             95659b0612138de
    ok    layout           parseable: STREAM/.ingestor.95659b0612138de.schema is published as STREAM/.stream/.ingestor.95659b0612138de.schema
    ok    store            file://DIR/store (not asked; `--online` does)
    ok    ledger           ledger.db does not exist yet and will be created
    FAIL  policy core      tidegate.toml:8:13: policy `core` (core.wasm): it is a core module, not a component: turn it into one with `wasm-tools component new`
                             |
                           8 | component = "core.wasm"
                             |             ^^^^^^^^^^^
    FAIL  policy gone      tidegate.toml:6:13: policy `gone` (gone.wasm): can't read `gone.wasm`: No such file or directory (os error 2)
                             |
                           6 | component = "gone.wasm"
                             |             ^^^^^^^^^^^
    FAIL  policy grants    tidegate.toml:14:1: policy `grants` (builtin:never): grants.write `.tidegate/x/`: keys of schemas and stream markers can't be granted
                              |
                           14 | grants = { write = [".tidegate/x/"] }
                              | ^^^^^^
    ok    policy ladder    builtin:ladder 0.1.0, fallback, sha256 …
    FAIL  policy ladder    tidegate.toml:16:10: policy `ladder` does not fill the role retry: it fills fallback
                              |
                           16 | retry = ["ladder"]
                              |          ^^^^^^^^
    FAIL  policy pinned    tidegate.toml:11:10: policy `pinned` (builtin:never): its SHA-256 is …, but `sha256` pins …
                              |
                           11 | sha256 = "…"
                              |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    ok    policy presence  builtin:presence 0.1.0, existence, sha256 …

    5 problems: see FAIL above
    "#);
}

#[test]
fn an_agent_is_refused_with_the_same_words_and_code() {
    let lines =
        "[policies.presence]\ncomponent = \"builtin:presence\"\nsettings = { settle = \"soon\" }\n";
    assert_snapshot!(said(&format!("{FINE}{lines}"), &["sync"]), @r#"
    exit 5
    --- stderr
    error: tidegate.toml:7:23: policy `presence` refuses `/settle`: `soon` is no duration; write it like "250ms", "30s", "2m" or "1h"
      |
    7 | settings = { settle = "soon" }
      |                       ^^^^^^
    "#);
    assert_snapshot!(said(&format!("{FINE}[ledger]\npath = \"staging/ledger.db\"\n"), &["sync"]), @r#"
    exit 2
    --- stderr
    error: tidegate.toml:6:8: the ledger staging/ledger.db lies inside the staging directory staging, which belongs to the node: give `ledger.path` a place elsewhere
      |
    6 | path = "staging/ledger.db"
      |        ^^^^^^^^^^^^^^^^^^^
    "#);
}

/// The command as a user who is not the superuser, for whom permissions count.
fn as_user(dir: &Path, arguments: &[&str]) -> Ran {
    if is_superuser().unwrap() {
        set_mode(dir, 0o777);
    }
    let mut command = unprivileged(dir).unwrap();
    let output = command.args(arguments).current_dir(dir).output().unwrap();
    output.into()
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_this_user_can_not_read_or_write_is_refused_before_a_run() {
    let dir = node(&format!(
        "{FINE}[ledger]\npath = \"state/ledger.db\"\n[runtime]\ncache = \"state/cache\"\n"
    ));
    fs::create_dir(dir.path().join("state")).unwrap();
    set_mode(&dir.path().join("state"), 0o555);
    set_mode(&dir.path().join("store"), 0o777);
    let run = as_user(dir.path(), &["check"]);
    assert_eq!(run.code, Some(2), "{}{}", run.stdout, run.stderr);
    for told in [
        "FAIL  ledger",
        "tidegate.toml:6:8: the ledger",
        "can't be written: make the file and its directory writable",
        "warn  cache",
        "tidegate.toml:8:9: the cache state/cache can't be used",
    ] {
        assert!(run.stdout.contains(told), "{told}: {}", run.stdout);
    }
    let agent = as_user(dir.path(), &["sync"]);
    assert_eq!(agent.code, Some(2), "{}", agent.stderr);
    assert!(
        agent.stderr.contains("can't be written"),
        "{}",
        agent.stderr
    );
}

#[test]
fn a_compile_cache_that_the_agent_would_warn_of_is_warned_of() {
    let ledger = "[ledger]\npath = \"state/ledger.db\"\n";
    let told_of = |prepare: &dyn Fn(&Path), cache: &str| {
        let dir = node(&format!("{FINE}{ledger}{cache}"));
        fs::create_dir(dir.path().join("state")).unwrap();
        prepare(&dir.path().join("state/cache"));
        ran(dir.path(), &["check"]).stdout
    };
    // The default location, next to the ledger.
    let preparations: [&dyn Fn(&Path); 3] = [
        &|cache| fs::write(cache, "x").unwrap(),
        &|cache| {
            fs::create_dir(cache).unwrap();
            set_mode(cache, 0o777);
        },
        &|cache| std::os::unix::fs::symlink("/no/such/directory", cache).unwrap(),
    ];
    for prepare in preparations {
        let told = told_of(prepare, "");
        assert!(told.contains("warn  cache"), "{told}");
        assert!(told.contains("must be a directory of this user"), "{told}");
    }
    let told = told_of(&|_| {}, "[runtime]\ncache = \"/proc/x\"\n");
    assert!(
        told.contains("no directory can be created in `/proc`"),
        "{told}"
    );
    let told = told_of(&|_| {}, "");
    assert!(!told.contains("warn  cache"), "{told}");
}

#[test]
fn a_ledger_that_exists_must_be_writable_too() {
    let dir = node(FINE);
    ran(dir.path(), &["sync", "app"]);
    set_mode(&dir.path().join("ledger.db"), 0o644);
    set_mode(&dir.path().join("store"), 0o777);
    let run = as_user(dir.path(), &["check"]);
    if is_superuser().unwrap() {
        assert_eq!(run.code, Some(2), "{}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains("can't be written"), "{}", run.stdout);
    }
}

#[test]
fn streams_that_this_user_can_not_read_are_refused() {
    let dir = node(FINE);
    set_mode(&dir.path().join("store"), 0o777);
    let staging = dir.path().join("staging");
    set_mode(&staging.join("app"), 0o700);
    let schema = staging.join("pstats/.ingestor.95659b0612138de.schema");
    fs::create_dir_all(schema.parent().unwrap()).unwrap();
    fs::write(&schema, "{}").unwrap();
    set_mode(&schema, 0o000);
    if !is_superuser().unwrap() {
        set_mode(&staging.join("app"), 0o000);
    }
    let run = as_user(dir.path(), &["check"]);
    set_mode(&staging.join("app"), 0o755);
    assert_eq!(run.code, Some(2), "{}{}", run.stdout, run.stderr);
    for told in [
        "FAIL  streams",
        "this user can't read what is staged for 2 streams",
        "app: Permission denied",
        "pstats: Permission denied",
    ] {
        assert!(run.stdout.contains(told), "{told}: {}", run.stdout);
    }
}

#[test]
fn a_check_as_root_leaves_the_scratch_directory_to_the_owner_of_the_store() {
    if !is_superuser().unwrap() {
        return;
    }
    const NOBODY: u32 = 65_534;
    let dir = node(FINE);
    let store = dir.path().join("store");
    std::os::unix::fs::chown(&store, Some(NOBODY), Some(NOBODY)).unwrap();
    assert_eq!(ran(dir.path(), &["check"]).code, Some(0));
    let scratch = dir.path().join(".tidegate-store");
    for path in [&scratch, &scratch.join("use.lock")] {
        let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(path).unwrap());
        assert_eq!(owner, NOBODY, "{}", path.display());
    }
}

#[test]
fn what_is_no_file_in_the_place_of_a_staged_schema_is_not_blamed_on_rights() {
    let dir = node(FINE);
    let odd = dir
        .path()
        .join("staging/odd/.ingestor.95659b0612138de.schema");
    fs::create_dir_all(&odd).unwrap();
    let run = ran(dir.path(), &["check"]);
    assert_eq!(run.code, Some(2), "{}{}", run.stdout, run.stderr);
    let told = "what is staged as the schema of 1 stream can't be read";
    assert!(run.stdout.contains(told), "{}", run.stdout);
    assert!(
        !run.stdout.contains("run as the node's user"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_store_of_files_that_this_user_can_not_write_is_refused() {
    let dir = node(FINE);
    let stream = dir.path().join("store/app/.stream");
    fs::create_dir_all(&stream).unwrap();
    set_mode(&dir.path().join("store"), 0o777);
    set_mode(&stream, 0o555);
    let run = as_user(dir.path(), &["check"]);
    set_mode(&stream, 0o755);
    assert_eq!(run.code, Some(4), "{}{}", run.stdout, run.stderr);
    for told in [
        "FAIL  store writes",
        "this user can't write the schemas of 1 stream",
        "store/app/.stream: Permission denied",
    ] {
        assert!(run.stdout.contains(told), "{told}: {}", run.stdout);
    }
}

#[test]
fn a_pipe_in_the_place_of_a_file_hangs_nothing() {
    let dir = node(FINE);
    for name in ["pipe.toml", "staging/ingestor.b.json"] {
        let path = dir.path().join(name);
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
    }
    let said = |arguments: &[&str]| {
        let run = ran(dir.path(), arguments);
        format!("{}{}", run.stdout, run.stderr)
    };
    let config = said(&["check", "--config", "pipe.toml"]);
    assert!(config.contains("it is not a regular file"), "{config}");
    fs::remove_file(dir.path().join("staging/ingestor.95659b0612138de.json")).unwrap();
    let identity = said(&["check"]);
    assert!(identity.contains("it is not a regular file"), "{identity}");
}

#[test]
fn a_ledger_in_memory_is_warned_about() {
    let Ok(memory) = tempfile::tempdir_in("/dev/shm") else {
        return;
    };
    let path = memory.path().join("ledger.db");
    let run = said_by_check(&format!("{FINE}[ledger]\npath = {path:?}\n"));
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    for told in [
        "warn  ledger",
        "tidegate.toml:6:8: the ledger lies on a file system in memory (tmpfs)",
    ] {
        assert!(run.stdout.contains(told), "{told}: {}", run.stdout);
    }
}

#[test]
fn delays_that_the_bounds_change_are_warned_about() {
    let run = said_by_check(&format!(
        "{FINE}[policies.backoff]\ncomponent = \"builtin:backoff\"\n\
         settings = {{ initial = \"1s\", max = \"1h\", overrides.\"store.timeout\" = {{ initial = \"10ms\" }} }}\n\
         [[rules]]\nstreams = [\"a\"]\nbounds = {{ max_delay = \"2h\", min_delay = \"2s\" }}\n"
    ));
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    for told in [
        "tidegate.toml:7:36: `max` is 1h, and the bounds of [sync] hold every delay to at most 15m",
        "`initial` is 10ms, and the bounds of [sync] hold every delay to at least 250ms",
        "`initial` is 1s, and the bounds of rules[0] hold every delay to at least 2s",
    ] {
        assert!(run.stdout.contains(told), "{told}: {}", run.stdout);
    }
    assert!(
        !run.stdout
            .contains("`max` is 1h, and the bounds of rules[0]"),
        "{}",
        run.stdout
    );
}

fn said_by_check(configuration: &str) -> Ran {
    let dir = node(configuration);
    ran(dir.path(), &["check"])
}

#[tokio::test]
async fn no_variable_of_the_environment_leads_to_a_store_that_the_file_does_not_name() {
    let (named, other) = (
        Endpoint::start().await.unwrap(),
        Endpoint::start().await.unwrap(),
    );
    let [access_key, secret_key] = named.secrets();
    let written = format!(
        "url = \"s3://bkt\"\n[store.options]\nendpoint = \"{}\"\nregion = \"us-east-1\"\nallow_http = true\n",
        named.url()
    );
    let parseable = [
        ("P_S3_URL", named.url()),
        ("P_S3_BUCKET", "bkt".to_owned()),
        ("P_S3_REGION", "us-east-1".to_owned()),
    ];
    for (store, named_by, variables) in [
        (written.as_str(), "store.url", &[][..]),
        ("from = \"parseable\"\n", "P_S3_BUCKET", &parseable[..]),
    ] {
        let dir = node(&format!("[staging]\ndir = \"staging\"\n[store]\n{store}"));
        let run = |arguments: &'static [&'static str]| {
            let mut command = command().unwrap();
            command
                .args(arguments)
                .current_dir(dir.path())
                .envs(
                    variables
                        .iter()
                        .map(|(name, value)| (*name, value.as_str())),
                )
                .env("AWS_ACCESS_KEY_ID", access_key)
                .env("AWS_SECRET_ACCESS_KEY", secret_key)
                .env("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
                .env("AWS_BUCKET", "other")
                .env("AWS_SKIP_SIGNATURE", "false");
            for name in ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"] {
                command.env(name, other.url());
            }
            tokio::task::spawn_blocking(move || Ran::from(command.output().unwrap()))
        };
        let check = run(&["check"]).await.unwrap();
        assert_eq!(check.code, Some(0), "{}", check.stdout);
        for told in [
            "the store also takes ",
            "AWS_ACCESS_KEY_ID, ",
            "AWS_SECRET_ACCESS_KEY, ",
            "AWS_ENDPOINT_URL_S3, settled by ",
            &format!("AWS_BUCKET, settled by {named_by}"),
        ] {
            assert!(check.stdout.contains(told), "{told}: {}", check.stdout);
        }
        assert!(!check.stdout.contains(secret_key), "{}", check.stdout);
        let before = named.faults().requests().total();
        let sync = run(&["sync", "app"]).await.unwrap();
        assert!(
            named.faults().requests().total() > before,
            "{}",
            sync.stderr
        );
        assert_eq!(other.faults().requests().total(), 0, "{}", sync.stderr);
    }
}

#[test]
fn values_of_the_environment_that_can_not_work_are_refused_by_every_command() {
    let dir = node(
        "[staging]\ndir = \"staging\"\n[store]\nurl = \"s3://bkt\"\n[store.options]\nendpoint = \"http://127.0.0.1:9\"\n\
         allow_http = true\nmetadata_endpoint = \"http://127.0.0.1:9\"\n",
    );
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", "AK\n"),
        ("AWS_SESSION_TOKEN", "a\nb"),
        ("AWS_REGION", "eu\nnorth"),
        ("AWS_REGION", "${REGION}"),
    ] {
        for arguments in [&["check"][..], &["sync", "app"], &["verify"]] {
            let mut command = command().unwrap();
            command
                .args(arguments)
                .current_dir(dir.path())
                .env("AWS_ACCESS_KEY_ID", "k")
                .env("AWS_SECRET_ACCESS_KEY", "hunter2")
                .env(name, value);
            let run = Ran::from(command.output().unwrap());
            assert_eq!(
                run.code,
                Some(2),
                "{name} {arguments:?}: {}{}",
                run.stdout,
                run.stderr
            );
            let said = format!("{}{}", run.stdout, run.stderr);
            assert!(
                said.contains(&format!("the environment variable {name} ")),
                "{said}"
            );
            assert!(!said.contains("hunter"), "{said}");
        }
    }
}

#[test]
fn ledgers_that_can_not_be_used_are_told_apart() {
    let long = "x".repeat(244);
    let too_long = "x".repeat(4_000);
    for (path, content, told) in [
        ("nowhere/ledger.db", None, "directory"),
        ("store/ledger.db", None, "lies inside the store"),
        (
            "staging/ledger.db",
            None,
            "lies inside the staging directory",
        ),
        ("/dev/null", None, "is not a file"),
        (&*long, None, "is too long: shorten `ledger.path`"),
        (&*too_long, None, "is too long: shorten `ledger.path`"),
        ("ledger.db", Some("not a database at all"), "is damaged"),
        ("ledger.db", Some(""), "the file is empty"),
    ] {
        let dir = node(&format!("{FINE}[ledger]\npath = \"{path}\"\n"));
        if let Some(content) = content {
            fs::write(dir.path().join(path), content).unwrap();
        }
        let run = ran(dir.path(), &["check"]);
        assert_eq!(run.code, Some(2), "{path}: {}", run.stdout);
        assert!(run.stdout.contains(told), "{path}: {}", run.stdout);
        let place = "FAIL  ledger           tidegate.toml:6:8: ";
        assert!(run.stdout.contains(place), "{path}: {}", run.stdout);
    }
    // The default has no place in the file.
    let dir = node(FINE);
    fs::write(dir.path().join("ledger.db"), "not a database").unwrap();
    let run = ran(dir.path(), &["check"]);
    let told = "FAIL  ledger           the ledger ";
    assert!(run.stdout.contains(told), "{}", run.stdout);
}

#[test]
fn a_wrong_configuration_hides_neither_staging_nor_ledger() {
    let dir = node(&format!(
        "{FINE}[ledger]\npath = \"staging/ledger.db\"\n[sync]\nretry = [\"bakoff\"]\n"
    ));
    let text = fs::read_to_string(dir.path().join("tidegate.toml")).unwrap();
    fs::rename(dir.path().join("staging"), dir.path().join("away")).unwrap();
    assert_snapshot!(ran(dir.path(), &["check"]).shown(dir.path()), @r#"
    exit 2
    FAIL  configuration  tidegate.toml:8:10: no policy is named `bakoff`; did you mean `backoff`?
                           |
                         8 | retry = ["bakoff"]
                           |          ^^^^^^^^
    FAIL  staging        tidegate.toml:2:7: can't open the staging directory staging: check `staging.dir`: No such file or directory (os error 2)
                           |
                         2 | dir = "staging"
                           |       ^^^^^^^^^
    –     node           not known without the staging directory
    FAIL  ledger         tidegate.toml:6:8: the ledger staging/ledger.db lies inside the staging directory staging, which belongs to the node: give `ledger.path` a place elsewhere
                           |
                         6 | path = "staging/ledger.db"
                           |        ^^^^^^^^^^^^^^^^^^^
    –     all else       not looked at while the configuration is wrong

    3 problems: see FAIL above
    "#);
    // What depends on a key that was left out is not looked at.
    let text = text.replace("[store]", "layuot = \"plain\"\n[store]");
    fs::write(dir.path().join("tidegate.toml"), text).unwrap();
    let run = ran(dir.path(), &["check"]);
    assert_eq!(run.code, Some(2));
    assert!(!run.stdout.contains("FAIL  staging"), "{}", run.stdout);
}

#[test]
fn a_node_whose_store_is_its_staging_directory_is_refused_and_nothing_is_made() {
    for (staging, store) in [
        ("staging", "staging"),
        ("staging", "staging/app"),
        ("staging", "staging/new"),
        ("store/below", "store"),
    ] {
        let dir = node(&format!(
            "[staging]\ndir = {staging:?}\n[store]\nfrom = \"parseable\"\n"
        ));
        let list = |path: &str| {
            let entries = fs::read_dir(dir.path().join(path)).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let before = (list("staging"), list("store"));
        for arguments in [&["check"][..], &["sync"]] {
            let mut command = command().unwrap();
            command
                .args(arguments)
                .current_dir(dir.path())
                .env("P_FS_DIR", dir.path().join(store));
            let run = Ran::from(command.output().unwrap());
            let said = format!("{}{}", run.stdout, run.stderr);
            assert_eq!(run.code, Some(2), "{said}");
            assert!(
                said.contains("the staging directory") && said.contains("correct P_FS_DIR"),
                "{said}"
            );
        }
        assert_eq!(before, (list("staging"), list("store")), "{store}");
    }
}

#[test]
fn a_store_directory_that_can_not_be_used_is_named_by_its_variable() {
    for (path, told) in [
        ("/nowhere/at/all", "does not exist; create it"),
        ("/etc/passwd", "is not a directory"),
        ("/data\n", "ends with a line break"),
    ] {
        let dir = node("[staging]\ndir = \"staging\"\n[store]\nfrom = \"parseable\"\n");
        let mut command = command().unwrap();
        command
            .arg("check")
            .current_dir(dir.path())
            .env("P_FS_DIR", path);
        let run = Ran::from(command.output().unwrap());
        assert_eq!(run.code, Some(2), "{}", run.stdout);
        for told in [told, "P_FS_DIR", "tidegate.toml:4:8: "] {
            assert!(run.stdout.contains(told), "{told}: {}", run.stdout);
        }
    }
}

#[test]
fn a_word_that_is_no_level_is_refused_by_the_command_line_and_the_file() {
    let dir = node(FINE);
    for command in ["check", "sync", "status", "version"] {
        let run = ran(dir.path(), &[command, "--log", "warning"]);
        assert_eq!(run.code, Some(2), "{command}: {}", run.stdout);
        for told in ["--log", "`warning` is not a level: did you mean `warn`?"] {
            assert!(run.stderr.contains(told), "{}", run.stderr);
        }
    }
    let run = said_by_check(&format!("{FINE}[log]\nlevel = \"inf\"\n"));
    assert_eq!(run.code, Some(2));
    assert!(
        run.stdout.contains("did you mean `info`?"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_ledger_of_another_store_is_refused() {
    let dir = node(FINE);
    // A stream that the ledger has seen in its store.
    let markers = dir.path().join("store/app/.stream");
    fs::create_dir_all(&markers).unwrap();
    let marker = "{\"created-at\": \"2026-01-01T00:00:00Z\"}";
    fs::write(markers.join(".stream.json"), marker).unwrap();
    assert_eq!(ran(dir.path(), &["sync", "app"]).code, Some(0));
    assert_eq!(ran(dir.path(), &["check"]).code, Some(0));
    fs::create_dir(dir.path().join("other")).unwrap();
    let text = fs::read_to_string(dir.path().join("tidegate.toml")).unwrap();
    fs::write(
        dir.path().join("tidegate.toml"),
        text.replace("/store\"", "/other\""),
    )
    .unwrap();
    let run = ran(dir.path(), &["check"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stdout.contains("is about the store") && run.stdout.contains("tidegate ledger adopt"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_store_that_does_not_answer_is_the_stores_matter() {
    let dir = node(
        "[staging]\ndir = \"staging\"\n[store]\nurl = \"s3://bucket\"\n[store.options]\n\
         endpoint = \"http://127.0.0.1:9\"\nallow_http = true\nregion = \"us-east-1\"\n\
         access_key_id = \"k\"\nsecret_access_key = \"s\"\nmetadata_endpoint = \"http://127.0.0.1:9\"\n",
    );
    assert_eq!(ran(dir.path(), &["check"]).code, Some(0));
    let run = ran(dir.path(), &["check", "--online"]);
    assert_eq!(run.code, Some(4), "{}", run.stdout);
    assert!(
        run.stdout.contains("no connection to 127.0.0.1:9"),
        "{}",
        run.stdout
    );
}

#[test]
fn common_slips_are_answered_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let shown = |arguments: &[&str]| ran(dir.path(), arguments).shown(dir.path());
    assert_snapshot!(shown(&["check"]), @"
    exit 2
    --- stderr
    error: there is no configuration tidegate.toml: name one with `--config FILE`, or try `tidegate demo`, which needs none
    ");
    assert_snapshot!(shown(&["run", "--config", "."]), @"
    exit 2
    --- stderr
    error: the configuration . is a directory: name the file in it, as in `--config ./tidegate.toml`
    ");
}

#[test]
fn recovering_makes_a_new_ledger_and_leaves_the_old_one() {
    let dir = node(FINE);
    assert_eq!(ran(dir.path(), &["sync", "app"]).code, Some(0));
    let ledger = dir.path().join("ledger.db");
    let before = fs::read(&ledger).unwrap();
    let run = ran(dir.path(), &["ledger", "recover", "--into", "new.db"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("every row was saved"), "{}", run.stdout);
    assert!(run.stdout.contains("mv new.db ledger.db"), "{}", run.stdout);
    assert_eq!(fs::read(&ledger).unwrap(), before);
    fs::rename(dir.path().join("new.db"), &ledger).unwrap();
    let status = ran(dir.path(), &["status", "app"]);
    assert!(status.stdout.contains("app "), "{}", status.stdout);
    let again = ran(dir.path(), &["ledger", "recover", "--into", "ledger.db"]);
    assert_eq!(again.code, Some(2));
}

#[test]
fn the_version_names_contract_and_engine() {
    let dir = tempfile::tempdir().unwrap();
    let run = ran(dir.path(), &["version", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["version"], 1);
    assert_eq!(report["contracts"][0], "0.1.0");
    assert_eq!(report["engine"].as_str().unwrap().len(), 16);
}

#[test]
fn the_demo_ends_as_told_and_leaves_what_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let run = ran(dir.path(), &["demo", "--dir", "kept"]);
    assert_snapshot!(run.stdout.replace(&dir.path().canonicalize().unwrap().display().to_string(), "DIR"), @"
    A node stages the schemas of 7 streams, and tidegate keeps them in step with a store.
    Both are directories in kept.

    STREAM    PHASE       SCHEMA FROM          WHAT HAPPENED
    app       synced      this node            captured fault: missing in the store, created from the staged file
    pstats    synced      the store            captured and healthy: the store held it all, nothing was written
    web       synced      this node            healthy: a new field was staged and merged into the stored schema
    orders    synced      this node            its schema came late: nothing was published before it was there
    payments  synced      this node, its peer  no schema for long: its peer's stood in, then its own was merged in
    audit     pending     nowhere              its staged file is cut off: not published, looked at when it changes
    metrics   conflicted  nowhere              two nodes disagree on a field's type: not published, a person decides

    5 streams are in step with the store. The others were kept from harm: nothing that is broken or contradicts
    another node was published.

    Everything is still there. Look next at

      tidegate status --config DIR/kept/tidegate.toml
      tidegate explain payments --config DIR/kept/tidegate.toml
      tidegate explain metrics --config DIR/kept/tidegate.toml
      tidegate run --config DIR/kept/tidegate.toml
    ");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let readme = include_str!("../../README.md");
    let table = run
        .stdout
        .lines()
        .skip_while(|line| !line.starts_with("STREAM"));
    for line in table.take_while(|line| !line.starts_with("Everything")) {
        assert!(
            readme.contains(line),
            "README.md shows another demo, without {line}"
        );
    }
    let status = ran(dir.path(), &["status", "--config", "kept/tidegate.toml"]);
    assert_eq!(status.code, Some(3), "conflicts stay: {}", status.stdout);
    let again = ran(dir.path(), &["demo", "--dir", "kept"]);
    assert_eq!(again.code, Some(2));
    assert!(again.stderr.contains("is not empty"), "{}", again.stderr);
}
