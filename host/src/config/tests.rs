use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const MINIMAL: &str = "[staging]\ndir = \"staging\"\n[store]\nurl = \"memory:///\"\n";

/// The file by its shape, or the first problem.
fn parse(source: &Source) -> Result<file::File, Problem> {
    let found = problems::Found::default();
    let file = source.parse(&found);
    match found.into_problems() {
        Some(problems) => Err(problems.first),
        None => Ok(file.expect("a file or a problem")),
    }
}

fn refusal(text: &str) -> String {
    parse(&Source::new("tidegate.toml", text))
        .expect_err("must be refused")
        .to_string()
}

/// The refusal of the minimal file with these lines behind it, which begin at line 5.
fn refused_lines(lines: &str) -> String {
    refusal(&format!("{MINIMAL}{lines}"))
}

#[test]
fn the_example_loads_with_and_without_its_settings() {
    let plain = parse(&Source::new("example.toml", EXAMPLE)).unwrap();
    assert_eq!(plain.store.url.as_deref(), Some("s3://logs"));
    assert_eq!(plain.sync, None);
    let all = Source::new("example.toml", example_with_every_key());
    let all = parse(&all).unwrap_or_else(|problem| panic!("{problem}"));
    let bounds = all.sync.unwrap().bounds.unwrap();
    assert_eq!(bounds.max_delay, Some(Length(Duration::from_secs(900))));
    assert_eq!(all.policies["patient"].settings["grace"], "2m");
    assert_eq!(all.store.options["allow_http"].to_string(), "true");
}

/// Notes for each key whether it is written anywhere; names of the operator's own and positions are one key.
fn note_keys(value: &Value, path: &str, written: &mut BTreeMap<String, bool>) {
    const NAMED: [&str; 5] = [
        ".layouts",
        ".policies",
        ".schemas",
        ".store.options",
        ".store.option_files",
    ];
    let here = match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(table) => !table.is_empty(),
        _ => true,
    };
    *written.entry(path.to_owned()).or_default() |= here;
    match value {
        Value::Object(table) => {
            for (key, value) in table {
                let key = if NAMED.contains(&path) { "*" } else { key };
                note_keys(value, &format!("{path}.{key}"), written);
            }
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| note_keys(item, &format!("{path}[]"), written)),
        _ => {}
    }
}

#[test]
fn every_key_is_in_the_example() {
    let all = parse(&Source::new("example.toml", example_with_every_key())).unwrap();
    let mut written = BTreeMap::new();
    note_keys(&serde_json::to_value(all).unwrap(), "", &mut written);
    assert!(written.len() > 80, "the shapes were walked: {written:?}");
    let missing: Vec<_> = written
        .iter()
        .filter(|(_, written)| !**written)
        .map(|(key, _)| key)
        .collect();
    assert!(missing.is_empty(), "not in example.toml: {missing:?}");
}

#[test]
fn a_misspelled_key_is_shown_with_what_was_meant() {
    insta::assert_snapshot!(refused_lines("[sync]\n  exsitence = [\"patient\"]"), @r#"
    tidegate.toml:6:3: unknown key `exsitence` in [sync]; did you mean `existence`?
      |
    6 |   exsitence = ["patient"]
      |   ^^^^^^^^^
    "#);
    insta::assert_snapshot!(refused_lines("[polcies.x]\ncomponent = \"builtin:presence\""), @"
    tidegate.toml:5:2: unknown key `polcies`; did you mean `policies`?
      |
    5 | [polcies.x]
      |  ^^^^^^^
    ");
    insta::assert_snapshot!(refused_lines("[policies.x]\ncomponent = \"y\"\nlimits = { zebra = 5 }"), @r#"
    tidegate.toml:7:12: unknown key `zebra` in [policies.x.limits]; expected one of fuel, memory, deadline, host_calls, bytes_returned, bytes_accepted, log_bytes, instances, memories, tables, table_elements
      |
    7 | limits = { zebra = 5 }
      |            ^^^^^
    "#);
}

#[test]
fn a_bad_value_is_shown_with_what_would_be_right() {
    insta::assert_snapshot!(refused_lines("[sync]\nbounds = { max_delay = \"5 parsecs\" }"), @r#"
    tidegate.toml:6:24: `max_delay` in [sync.bounds]: `5 parsecs` is not a valid duration: write whole numbers with units (ms, s, m, h, d), such as "30s" or "1h 30m"
      |
    6 | bounds = { max_delay = "5 parsecs" }
      |                        ^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(refused_lines("[verify]\ninterval = 30"), @r#"
    tidegate.toml:6:12: `interval` in [verify]: invalid type: integer `30`, expected a duration with its unit, such as "30s"
      |
    6 | interval = 30
      |            ^^
    "#);
    insta::assert_snapshot!(refused_lines("[ledger]\nhistory_max = \"lots\""), @r#"
    tidegate.toml:6:15: `history_max` in [ledger]: `lots` is no size: write a whole number with a unit (B, KiB, MiB, GiB, kB, MB, GB), such as "64MiB"
      |
    6 | history_max = "lots"
      |               ^^^^^^
    "#);
    insta::assert_snapshot!(refused_lines("[ledger]\ndurability = \"kil\""), @r#"
    tidegate.toml:6:14: unknown value `kil` for `durability` in [ledger]; did you mean `kill`?
      |
    6 | durability = "kil"
      |              ^^^^^
    "#);
    insta::assert_snapshot!(refused_lines("[[rules]]\nstreams = [\"a\", 7]"), @r#"
    tidegate.toml:6:17: `streams[1]` in [rules[0]]: invalid type: integer `7`, expected a string
      |
    6 | streams = ["a", 7]
      |                 ^
    "#);
}

#[test]
fn a_missing_key_and_broken_syntax_are_shown_at_their_place() {
    insta::assert_snapshot!(refusal("[store]\nurl = \"memory:///\"\n[staging]\n"), @"
    tidegate.toml:3:1: missing key `dir` in [staging]
      |
    3 | [staging]
      | ^^^^^^^^^
    ");
    insta::assert_snapshot!(refusal("[store]\nurl = \"memory:///\"\n"), @"
    tidegate.toml:1:1: missing key `staging`
      |
    1 | [store]
      | ^
    ");
    insta::assert_snapshot!(refused_lines("[sync]\nretry = [\"backoff\"\n[verify]"), @r#"
    tidegate.toml:7:1: missing comma between array elements, expected `,`
      |
    7 | [verify]
      | ^
    "#);
    insta::assert_snapshot!(refused_lines("[staging]\n"), @"
    tidegate.toml:5:2: `staging`: duplicate key
      |
    5 | [staging]
      |  ^^^^^^^
    ");
    insta::assert_snapshot!(refusal(""), @"
    tidegate.toml:1:1: missing key `staging`
      |
    1 | 
      | ^
    ");
}

#[test]
fn every_part_that_does_not_fit_is_reported() {
    let text = format!(
        "{MINIMAL}[sync]\nfalback = []\nwrite = \"no\"\n[[rules]]\nstreams = [\"a\", 7]\nignroe = true\n\
         [verify]\ninterval = 30\n[zebra]\n[runtime]\nslots = 0\n"
    );
    let problems = Settings::check(&Source::new("t", text), &|_| None).unwrap_err();
    let lines: Vec<_> = problems
        .iter()
        .map(|problem| {
            (
                problem.line,
                problem
                    .message
                    .split(&['`', ':'][..])
                    .next()
                    .unwrap()
                    .trim(),
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            (6, "unknown key"),
            (7, ""),
            (9, ""),
            (10, "unknown key"),
            (12, ""),
            (13, "unknown key"),
            (15, ""),
        ],
        "{problems}"
    );
    // What depends on a key that was taken out, or is missing, is not reported too.
    let check = |text: &str| {
        let problems = Settings::check(&Source::new("t", text), &|_| None).unwrap_err();
        problems
            .iter()
            .map(|problem| problem.line)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        check("[staging]\ndir = 7\n[store]\nurl = \"memory:///\"\n[log]\nlevl = 1\n"),
        [2, 6]
    );
    assert_eq!(
        check(&format!(
            "{MINIMAL}[policies.p]\nsha256 = \"x\"\n[sync]\nretry = [\"p\"]\n"
        )),
        [5]
    );
    let broken = check("[staging\ndir = \"x\"\n[store]\nurl = \"a\n");
    assert!(broken.contains(&1) && broken.contains(&4), "{broken:?}");
}

#[test]
fn secrets_are_not_shown() {
    for lines in [
        "secret_access_key = [\"hunter2\"]",
        "options = { region = \"r\", secret_access_key = [\"hunter2\"] }",
        "options.AWS_SESSION_TOKEN = \"hunter2",
        "url = s3://key:hunter2@host/",
        "options.proxy_url = [\"http://user:hunter2@host\"]",
    ] {
        let text = refusal(&format!("[staging]\ndir = \"staging\"\n[store]\n{lines}\n"));
        assert!(text.starts_with("tidegate.toml:4:"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn what_is_wrong_by_meaning_is_shown_at_its_place_too() {
    let source = Source::new(
        "tidegate.toml",
        format!(
            "{MINIMAL}[sync]\nfallback = [\n  \"ladder\",\n  \"nobody\", # ü\n]\n[policies.p]\ncomponent = \"x\"\n"
        ),
    );
    let place = |path: &[&str]| {
        let problem = source.problem(path, "wrong");
        (problem.line, problem.column)
    };
    assert_eq!(place(&["sync", "fallback", "1"]), (8, 3));
    assert_eq!(place(&["policies", "p", "component"]), (11, 13));
    assert_eq!(
        place(&["policies", "p", "settings", "grace"]),
        (10, 11),
        "the nearest table"
    );
    assert_eq!(place(&["nowhere"]), (1, 1));
}

#[test]
fn columns_count_characters() {
    let problem = parse(&Source::new("t", "# ü\nü = 1")).unwrap_err();
    assert_eq!((problem.line, problem.column), (2, 1));
    let problem = parse(&Source::new(
        "t",
        "staging = { dir = \"s\" }\nstore = { url = \"ü\", zebra = 1 }",
    ))
    .unwrap_err();
    assert_eq!(problem.column, 22);
}

#[test]
fn files_that_can_not_be_read_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tidegate.toml");
    let missing = Source::read(&path).unwrap_err();
    assert!(
        missing
            .to_string()
            .starts_with("could not read the configuration"),
        "{missing}"
    );
    assert!(matches!(
        Source::read(dir.path()),
        Err(ConfigError::Read { .. })
    ));
    std::fs::write(&path, vec![b'#'; CONFIG_MAX as usize + 1]).unwrap();
    assert!(matches!(Source::read(&path), Err(ConfigError::TooLarge(_))));
    std::fs::write(&path, b"# fine\n# not \xff text").unwrap();
    let binary = Source::read(&path).unwrap_err().to_string();
    assert!(
        binary.contains("tidegate.toml:2:7: not UTF-8 text"),
        "{binary}"
    );
    std::fs::write(&path, MINIMAL).unwrap();
    parse(&Source::read(&path).unwrap()).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is cut out or put in, reading answers with a file or a place within the text.
    #[test]
    fn any_text_is_answered(at in any::<prop::sample::Index>(), cut in 0_usize..40, put in "[\\[\\]{}\"'=#\\n a-z0-9.ü]{0,6}") {
        let mut text = example_with_every_key();
        let start = text.floor_char_boundary(at.index(text.len()));
        let end = text.floor_char_boundary(start + cut);
        text.replace_range(start..end, &put);
        if let Err(problem) = parse(&Source::new("t", text.clone())) {
            prop_assert!(problem.line >= 1 && problem.line <= text.lines().count() + 1);
            prop_assert!(problem.to_string().lines().count() == 4, "{problem}");
        }
    }
}
