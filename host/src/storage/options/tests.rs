use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use object_store::aws::AmazonS3ConfigKey;
use object_store::azure::AzureConfigKey;
use object_store::gcp::GoogleConfigKey;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::storage::{Key, Store, StoreSettings};
use crate::time::SystemClock;

/// A port on which nothing listens.
const CLOSED: &str = "http://127.0.0.1:9";

/// Values that were copied, cut or templated wrongly, and those that are valid for some other option.
const HOSTILE: &[&str] = &[
    "",
    " ",
    "\n",
    "\t",
    "minio:9000",
    "127.0.0.1:9",
    "//127.0.0.1:9",
    "http:127.0.0.1",
    "http://",
    "http://:9",
    "http://127.0.0.1:9 ",
    " http://127.0.0.1:9",
    "http://127.0.0.1:9\n",
    "http://127.0.0.1:90000",
    "http://127.0.0.1:0",
    "http://127.0.0.1:",
    "http://127.0.0.1:9/",
    "http://127.0.0.1:9/a b",
    "http://127.0.0.1:9/{}|^`\"<>\\",
    "http://127.0.0.1:9/%zz",
    "http://127.0.0.1:9/?q=1",
    "http://127.0.0.1:9/#f",
    "http://u:p@127.0.0.1:9",
    "http://[::1",
    "http://[::1]:9",
    "http://[::1%25lo]:9",
    "http://$HOST:9",
    "http://${HOST}:9",
    "http://a_b",
    "http://münchen",
    "http://127.1:9",
    "HTTP://127.0.0.1:9",
    "ftp://127.0.0.1:9",
    "socks5://127.0.0.1:9",
    "unix:///run/store.sock",
    "$VAR",
    "${VAR}",
    "$(cat secret)",
    "{{ .Values.key }}",
    "a\nb",
    "a\r\nb",
    "a\tb",
    "a\u{0}b",
    "a\u{7f}b",
    "a\u{1b}[31m",
    "a b",
    "a,b/c:d;e=f",
    "schlüssel",
    "\u{feff}key",
    "\u{fffd}",
    "key\u{a0}",
    "\"quoted\"",
    "'quoted'",
    "true",
    "false",
    "TRUE",
    "maybe",
    "0",
    "1",
    "-1",
    "16384",
    "4294967295",
    "99999999999999999999999",
    "0s",
    "1s",
    "1 year",
    "500000000000years",
    "30",
    "{}",
    "[]",
    "{\"a\":\n1}",
    "{\"private_key\":\"x\",\"private_key_id\":\"y\",\"client_email\":\"z\"}",
    "%",
    "a=b",
    "sig=a%0Ab&x=y",
    "=&=",
    "/",
    "/a",
    "/a b",
    "@127.0.0.1",
    "..",
    "AES256",
    "sse-c",
    "aws:kms",
    "etag",
    "disabled",
    "multipart",
    "header:a:b",
    "header:a b:c",
    "header-with-status:a:b:9999",
    "header-with-status:a:b:412",
    "sha256",
    "QUJD",
    "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "-----BEGIN CERTIFICATE-----",
    "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n",
    "/dev/null",
    "/proc/self/mem",
    "/nowhere/at/all",
];

/// Stores with explicit credentials and addresses, none of which leads off this machine.
fn bases() -> Vec<(Family, StoreSettings)> {
    let key =
        json!({"private_key": "", "private_key_id": "", "client_email": "", "disable_oauth": true});
    let mut settings = [
        (
            Family::S3,
            StoreSettings::new("s3://bkt")
                .with_option("endpoint", CLOSED)
                .with_option("region", "us-east-1")
                .with_option("allow_http", "true")
                .with_option("access_key_id", "k")
                .with_option("secret_access_key", "s")
                .with_option("metadata_endpoint", CLOSED),
        ),
        (
            Family::Gcs,
            StoreSettings::new("gs://bkt")
                .with_option("base_url", CLOSED)
                .with_option("allow_http", "true")
                .with_option("service_account_key", key.to_string()),
        ),
        (
            Family::Azure,
            StoreSettings::new("az://bkt")
                .with_option("endpoint", CLOSED)
                .with_option("account_name", "account")
                .with_option("allow_http", "true")
                .with_option("access_key", "a2V5")
                .with_option("msi_endpoint", CLOSED)
                .with_option("authority_host", CLOSED),
        ),
    ];
    for (_, settings) in &mut settings {
        settings.request_timeout = Duration::from_secs(5);
    }
    settings.into()
}

/// The names of the variants at this place of object_store's enum of keys, which has no other list of them.
fn variants<K: DeserializeOwned>(place: impl Fn(&str) -> Value) -> Vec<String> {
    let Err(error) = serde_json::from_value::<K>(place("?")) else {
        panic!("a variant without a name");
    };
    let text = error.to_string();
    let (_, expected) = text.split_once("expected").expect("a list of variants");
    let names = expected.split('`').skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

/// All keys of a store, under the names by which object_store shows them.
fn keys<K: DeserializeOwned + AsRef<str>>() -> Vec<String> {
    let mut keys = Vec::new();
    const NESTED: [&str; 2] = ["Client", "Encryption"];
    for variant in variants::<K>(|name| json!(name)) {
        if NESTED.contains(&variant.as_str()) {
            let place = |name: &str| json!({ &variant: name });
            keys.extend(variants::<K>(&place).iter().map(|name| place(name)));
        } else {
            keys.push(json!(variant));
        }
    }
    let key = |value| serde_json::from_value::<K>(value).expect("a key");
    keys.into_iter()
        .map(|value| key(value).as_ref().to_owned())
        .collect()
}

fn all_keys(family: Family) -> Vec<String> {
    match family {
        Family::S3 => keys::<AmazonS3ConfigKey>(),
        Family::Gcs => keys::<GoogleConfigKey>(),
        Family::Azure => keys::<AzureConfigKey>(),
        Family::File | Family::Memory => Vec::new(),
    }
}

fn parsed(family: Family, name: &str) -> Option<String> {
    match family {
        Family::S3 => name
            .parse()
            .ok()
            .map(|key: AmazonS3ConfigKey| key.as_ref().to_owned()),
        Family::Gcs => name
            .parse()
            .ok()
            .map(|key: GoogleConfigKey| key.as_ref().to_owned()),
        Family::Azure => name
            .parse()
            .ok()
            .map(|key: AzureConfigKey| key.as_ref().to_owned()),
        Family::File | Family::Memory => None,
    }
}

#[test]
fn every_key_of_object_store_is_listed_once_under_all_its_names() {
    for (family, least) in [(Family::S3, 50), (Family::Gcs, 25), (Family::Azure, 40)] {
        let keys = all_keys(family);
        assert!(keys.len() >= least, "{family:?}: {keys:?}");
        for key in &keys {
            assert!(find(family, key).is_some(), "{family:?}: {key}");
        }
        assert_eq!(specs(family).count(), keys.len(), "{family:?}");
        for spec in specs(family) {
            for name in spec.names {
                let key = parsed(family, name);
                assert_eq!(key, parsed(family, spec.name()), "{family:?}: {name}");
                assert!(key.is_some(), "{family:?}: {name}");
                assert_eq!(find(family, name), Some(spec), "{family:?}: {name}");
            }
        }
    }
}

#[test]
fn misspelled_options_find_their_neighbour() {
    assert_eq!(suggestion(Family::S3, "endpiont"), Some("endpoint"));
    assert_eq!(suggestion(Family::Gcs, "alow_http"), Some("allow_http"));
    assert_eq!(
        suggestion(Family::S3, "endpoint_url_s3"),
        Some("aws_endpoint_url_s3")
    );
    assert_eq!(suggestion(Family::S3, "zebra"), None);
    assert_eq!(suggestion(Family::File, "alow_http"), None);
}

#[tokio::test]
async fn no_value_of_any_option_makes_a_request_panic() {
    let key = Key::from("app/.stream/.schema");
    let (mut refused, mut sent) = (0, 0);
    for (family, base) in bases() {
        for spec in specs(family) {
            for value in HOSTILE {
                let mut settings = base.clone();
                settings
                    .options
                    .insert(spec.name().to_owned(), (*value).to_owned());
                if settings.options == base.options {
                    continue;
                }
                let Ok(store) = Store::open(&settings, Arc::new(SystemClock::new())) else {
                    refused += 1;
                    continue;
                };
                sent += 1;
                let requests = async {
                    _ = store.create(&key, "{}".into()).await;
                    _ = store.list(&Key::from("app"), 1).await;
                };
                let outcome = std::panic::AssertUnwindSafe(requests).catch_unwind().await;
                assert!(outcome.is_ok(), "{family:?}: {} = {value:?}", spec.name());
            }
        }
    }
    assert!(
        refused > 5_000 && sent > 400,
        "{refused} refused, {sent} sent"
    );
}

#[test]
fn values_that_work_are_taken() {
    for (family, name, value) in [
        (
            Family::S3,
            "endpoint",
            "https://minio.example.com:9000/under/a/path",
        ),
        (Family::S3, "endpoint", "http://[::1]:9000"),
        (Family::S3, "endpoint", "http://my_minio:9000"),
        (Family::S3, "endpoint", "HTTP://MinIO:9000"),
        (
            Family::S3,
            "endpoint",
            "http://minio.svc.cluster.local.:9000",
        ),
        (Family::S3, "region", "us-east-1"),
        (Family::S3, "secret_access_key", "wJalr/XUtn+FEMI=$1 ü"),
        (Family::S3, "session_token", "IQoJb3JpZ2luX2VjE=="),
        (Family::S3, "allow_http", "YES"),
        (Family::S3, "request_payer", "requester"),
        (Family::S3, "timeout", "1m 30s"),
        (Family::S3, "copy_if_not_exists", "header: cf-copy: *"),
        (Family::S3, "user_agent", "tidegate (node 1)"),
        (Family::S3, "proxy_url", "http://me:pw@proxy:3128"),
        (Family::S3, "proxy_excludes", "localhost, 10.0.0.0/8"),
        (
            Family::S3,
            "container_credentials_relative_uri",
            "/v2/credentials/a?b=c",
        ),
        (
            Family::S3,
            "sse_customer_key_base64",
            "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        ),
        (
            Family::S3,
            "sse_kms_key_id",
            "arn:aws:kms:us-east-1:1234:key/ab-cd",
        ),
        (
            Family::Azure,
            "authority_id",
            "72f988bf-86f1-41af-91ab-2d7cd011db47",
        ),
        (Family::Azure, "sas_token", "?sv=2023&sig=a%2Fb%3D"),
        (Family::Azure, "access_key", "a2V5"),
        (
            Family::Gcs,
            "service_account_key",
            "{\n  \"type\": \"service_account\"\n}\n",
        ),
    ] {
        let spec = find(family, name).expect(name);
        assert_eq!(spec.kind.check(value), Ok(()), "{name} = {value}");
    }
}

#[test]
fn values_that_can_not_work_are_refused_with_what_to_write() {
    for (name, value, told) in [
        (
            "endpoint",
            "minio:9000",
            "has no scheme: write `http://minio:9000` or",
        ),
        (
            "endpoint",
            "http://minio:9000 ",
            "has white space at its start or end",
        ),
        ("endpoint", "http://minio:90000", "invalid port number"),
        ("endpoint", "", "is empty"),
        ("endpoint", "$ENDPOINT", "was not expanded"),
        (
            "endpoint",
            "http://$HOST:9000",
            "whose host name is not valid",
        ),
        (
            "endpoint",
            "s3://minio",
            "begins with `s3://`: write `http://` or `https://`",
        ),
        ("endpoint", "http://k:s@minio", "holds a user or a password"),
        ("endpoint", "http://a..b", "whose host name is not valid"),
        ("endpoint", "http://.a", "whose host name is not valid"),
        (
            "endpoint",
            "http:/127.0.0.1",
            "is `http:/127.0.0.1`: write `http://127.0.0.1`",
        ),
        ("endpoint", "https:minio", "write `https://minio`"),
        ("region", ".", "must not begin or end with `.`"),
        ("secret_access_key", "hunter2\u{fffd}", "is not UTF-8 text"),
        (
            "secret_access_key",
            "\u{feff}hunter2",
            "begins with a byte order mark",
        ),
        ("access_key_id", "AK\n", "ends with a line break"),
        ("access_key_id", "AK\nSK", "has several lines"),
        ("secret_access_key", "hunter2\nhunter3", "has several lines"),
        ("session_token", "ab\u{7}", "control character U+0007"),
        ("session_token", "a b", "holds white space"),
        ("region", "eu north", "may hold letters, digits"),
        ("region", "${REGION}", "was not expanded"),
        ("allow_http", "maybe", "write `true` or `false`"),
        ("timeout", "30", "a length of time with its unit"),
        ("timeout", "400d", "at most 1d"),
        (
            "http2_max_frame_size",
            "1",
            "a number from 16384 to 16777215",
        ),
        ("default_content_type", "a\u{e9}", "only printable ASCII"),
        (
            "checksum_algorithm",
            "md5",
            "write one of sha256, crc64nvme",
        ),
        ("conditional_put", "on", "write one of etag, disabled"),
        (
            "proxy_url",
            "socks5://u:hunter2@p",
            "begins with `socks5://`",
        ),
        ("web_identity_token_file", "/nowhere", "which can't be read"),
        ("web_identity_token_file", "/dev/null", "not a regular file"),
    ] {
        let spec = find(Family::S3, name).expect(name);
        let bad = spec.kind.check(value).expect_err(value).to_string();
        assert!(bad.contains(told), "{name} = {value:?}: {bad}");
        assert!(!bad.contains("hunter"), "{bad}");
    }
}

#[test]
fn urls_with_parts_that_would_be_ignored_are_refused() {
    for (url, told) in [
        ("s3://minio:9000/logs", "carries a port"),
        ("s3://key@logs", "carries a user name"),
        ("s3://k:hunter2@logs", "carries a password"),
        ("s3://$BUCKET", "the bucket is `$BUCKET`"),
        ("s3://lögs", "the bucket is"),
        ("s3://..", "must not begin or end with `.`"),
        ("s3://.logs", "must not begin or end with `.`"),
        ("s3://lo..gs", "nor hold two in a row"),
        ("s3://logs ", "white space at its start or end"),
        (" s3://logs", "white space at its start or end"),
        ("s3://logs\n", "ends with a line break"),
        ("s3://lo\tgs", "control character U+0009"),
        ("file:///data\n", "ends with a line break"),
        ("s3://logs/../x", "its path holds `..`"),
        ("s3://logs/x/.", "its path holds `.`"),
        ("s3://logs/%2e%2E/x", "its path holds `%2e%2E`"),
        ("file:///data/../x", "its path holds `..`"),
        ("https://s3.us-west-1.amazonaws.com/", "names no bucket"),
        ("https://s3.us-west-1.amazonaws.com", "names no bucket"),
        ("https://acc.r2.cloudflarestorage.com/", "names no bucket"),
        ("http://127.0.0.1:9000/logs", "is the address of a server"),
        (
            "https://minio.example.com/logs",
            "is the address of a server",
        ),
        ("s3://logs/${PREFIX}", "was not expanded"),
        ("file://data/logs", "file:///DIRECTORY"),
        ("minio://logs", "names no known kind"),
        ("logs", "not valid"),
    ] {
        let error = Address::parse(url).expect_err(url).in_full();
        assert!(error.contains(told) && !error.contains("hunter"), "{error}");
    }
    for url in [
        "s3://logs/a/b",
        "az://container@account.dfs.core.windows.net/p",
        "https://logs.s3.eu-north-1.amazonaws.com/p",
        "file:///data/logs",
        "file:///my data/..logs",
        "s3://logs.example.com/a..b",
        "memory:///",
    ] {
        Address::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
    }
}

/// What is wrong with these options as a whole, with the option that each is about.
fn related(url: &str, options: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let options: BTreeMap<_, _> = options
        .iter()
        .map(|(name, value)| (*name, Some(*value)))
        .collect();
    let wrong = relations(&Address::parse(url).expect(url), &options);
    wrong
        .into_iter()
        .map(|bad| (bad.name, bad.message(&|name| format!("`{name}`"))))
        .collect()
}

#[test]
fn options_that_need_each_other_are_asked_for_together() {
    let wrong = |options: &[(&'static str, &str)]| {
        let wrong = related("s3://logs", options);
        wrong.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(wrong(&[("access_key_id", "k")]), ["access_key_id"]);
    assert_eq!(wrong(&[("session_token", "k")]), ["session_token"]);
    assert_eq!(
        wrong(&[("sse_customer_key_base64", "k")]),
        ["sse_customer_key_base64"]
    );
    assert_eq!(
        wrong(&[("server_side_encryption", "sse-c")]),
        ["server_side_encryption"]
    );
    assert_eq!(
        wrong(&[
            ("endpoint", "https://a"),
            ("aws_endpoint_url_s3", "https://b")
        ]),
        ["aws_endpoint_url_s3"]
    );
    assert!(wrong(&[("access_key_id", "k"), ("secret_access_key", "s")]).is_empty());
}

#[test]
fn options_of_which_one_would_be_ignored_are_refused() {
    for (url, options, told) in [
        (
            "az://logs",
            &[("access_key", "k"), ("skip_signature", "true")][..],
            "`access_key` has no effect beside `skip_signature`: leave one out",
        ),
        (
            "az://logs",
            &[("access_key", "k"), ("sas_token", "s")],
            "`sas_token` has no effect beside `access_key`: leave one out",
        ),
        (
            "gs://logs",
            &[("bearer_token", "k"), ("skip_signature", "yes")],
            "`bearer_token` has no effect beside `skip_signature`: leave one out",
        ),
        (
            "s3://logs",
            &[("http1_only", "true"), ("http2_only", "true")],
            "`http1_only` and `http2_only` exclude each other: leave one out",
        ),
    ] {
        let wrong: Vec<_> = related(url, options)
            .into_iter()
            .map(|(name, message)| format!("`{name}` {message}"))
            .collect();
        assert_eq!(wrong, [told], "{options:?}");
    }
    for options in [
        &[("access_key", "k"), ("skip_signature", "false")][..],
        &[("http1_only", "false"), ("http2_only", "true")],
    ] {
        assert_eq!(related("az://logs", options), [], "{options:?}");
    }
}

#[test]
fn a_bucket_in_the_host_name_is_part_of_the_endpoint() {
    let wrong = |url: &str, endpoint: &str| {
        let options = [
            ("allow_http", "true"),
            ("endpoint", endpoint),
            ("virtual_hosted_style_request", "true"),
        ];
        related(url, &options)
    };
    for endpoint in [
        "http://minio:9000",
        "http://logsx.minio:9000",
        "http://minio.logs:9000",
        "http://minio:9000/other",
    ] {
        let told = wrong("s3://logs/prefix", endpoint);
        let [("virtual_hosted_style_request", message)] = told.as_slice() else {
            panic!("{endpoint}: {told:?}");
        };
        assert!(
            message.contains("begin the host in `endpoint` with `logs.`"),
            "{message}"
        );
    }
    for endpoint in [
        "http://logs.minio:9000",
        "http://logs",
        "http://minio:9000/logs",
        "http://minio:9000/logs/",
    ] {
        assert_eq!(wrong("s3://logs", endpoint), [], "{endpoint}");
    }
    assert_eq!(wrong("s3://Logs", "http://logs.minio:9000"), []);
    // Without an endpoint the host is made from the bucket.
    let options = [("virtual_hosted_style_request", "true")];
    assert_eq!(related("s3://logs", &options), []);
}

#[test]
fn an_endpoint_of_plain_http_needs_the_switch() {
    for (url, name) in [
        ("s3://logs", "endpoint"),
        ("s3://logs", "aws_endpoint_url_s3"),
        ("gs://logs", "base_url"),
        ("az://logs", "endpoint"),
    ] {
        let refused = |address, switch: Option<&'static str>| {
            let mut options = vec![(name, address)];
            options.extend(switch.map(|value| ("allow_http", value)));
            related(url, &options)
        };
        for switch in [None, Some("false"), Some("off")] {
            let told = "begins with `http://`, and plain HTTP is not allowed: set `allow_http` to true, or write \
                        `https://`";
            assert_eq!(
                refused("http://a:9", switch),
                [(name, told.to_owned())],
                "{url}"
            );
            assert_eq!(refused("https://a:9", switch), [], "{url}");
        }
        assert_eq!(refused("HTTP://a:9", Some("true")), [], "{url}");
        assert_eq!(refused("HTTP://a:9", None).len(), 1, "{url}");
    }
}

/// What of these variables is used for the store, and what is not.
fn environment(
    url: &str,
    written: &[&'static str],
    variables: &[(&str, &str)],
) -> (Vec<String>, Vec<String>) {
    let address = Address::parse(url).expect(url);
    let written = written
        .iter()
        .map(|name| (*name, format!("store.options.{name}")))
        .collect();
    let layer = settle(&address, "store.url", &written, &|name| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    });
    (
        layer
            .used
            .into_iter()
            .map(|variable| variable.name)
            .collect(),
        layer.unused.into_iter().map(|(name, _)| name).collect(),
    )
}

#[test]
fn a_variable_decides_nothing_that_is_settled_under_any_name() {
    const S3: &str = "s3://logs";
    for (url, written, variable) in [
        (S3, &["endpoint"][..], "AWS_ENDPOINT_URL_S3"),
        (S3, &["endpoint"], "AWS_ENDPOINT_URL"),
        (S3, &["aws_endpoint_url_s3"], "AWS_ENDPOINT"),
        (S3, &["endpoint"], "AWS_VIRTUAL_HOSTED_STYLE_REQUEST"),
        (S3, &["endpoint"], "AWS_S3_EXPRESS"),
        (S3, &["endpoint"], "AWS_ALLOW_HTTP"),
        (S3, &["endpoint"], "AWS_ALLOW_INVALID_CERTIFICATES"),
        (S3, &[], "AWS_BUCKET"),
        (S3, &[], "AWS_BUCKET_NAME"),
        (S3, &["region"], "AWS_DEFAULT_REGION"),
        (S3, &["default_region"], "AWS_REGION"),
        (S3, &["access_key_id"], "AWS_SESSION_TOKEN"),
        (S3, &["access_key_id"], "AWS_SKIP_SIGNATURE"),
        (S3, &["web_identity_token_file"], "AWS_ACCESS_KEY_ID"),
        (S3, &["skip_signature"], "AWS_ACCESS_KEY_ID"),
        (S3, &["proxy_url"], "AWS_PROXY_EXCLUDES"),
        (S3, &["server_side_encryption"], "AWS_SSE_KMS_KEY_ID"),
        (S3, &[], "AWS_TIMEOUT"),
        (
            "https://logs.s3.eu-north-1.amazonaws.com",
            &[],
            "AWS_ENDPOINT_URL_S3",
        ),
        (
            "https://logs.s3.eu-north-1.amazonaws.com",
            &[],
            "AWS_REGION",
        ),
        (
            "https://acc.r2.cloudflarestorage.com/logs",
            &[],
            "AWS_ENDPOINT_URL_S3",
        ),
        ("gs://logs", &["base_url"], "GOOGLE_BASE_URL"),
        ("gs://logs", &[], "GOOGLE_BUCKET"),
        ("gs://logs", &["bearer_token"], "SERVICE_ACCOUNT"),
        ("gs://logs", &["service_account"], "GOOGLE_SKIP_SIGNATURE"),
        ("az://logs", &["account_name"], "AZURE_STORAGE_ENDPOINT"),
        ("az://logs", &["endpoint"], "AZURE_STORAGE_USE_EMULATOR"),
        ("az://logs", &["access_key"], "AZURE_STORAGE_TOKEN"),
        ("az://logs", &["access_key"], "IDENTITY_ENDPOINT"),
        ("az://logs", &[], "AZURE_CONTAINER_NAME"),
        (
            "az://logs@acc.blob.core.windows.net",
            &[],
            "AZURE_STORAGE_ENDPOINT",
        ),
        (
            "az://logs@acc.blob.core.windows.net",
            &[],
            "AZURE_STORAGE_ACCOUNT_NAME",
        ),
    ] {
        let (used, unused) = environment(url, written, &[(variable, "x")]);
        assert!(used.is_empty(), "{url} {written:?}: {used:?}");
        assert_eq!(unused, [variable], "{url} {written:?}");
    }
}

#[test]
fn a_variable_decides_what_is_not_settled() {
    for (url, written, variables, names) in [
        (
            "s3://logs",
            &["endpoint", "region", "allow_http"][..],
            &[("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s")][..],
            &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"][..],
        ),
        (
            "s3://logs",
            &["allow_http"],
            &[("AWS_ENDPOINT_URL", "http://a"), ("AWS_REGION", "r")],
            &["AWS_ENDPOINT_URL", "AWS_REGION"],
        ),
        // Two that say the same: the one of S3 alone counts, and an empty one is as good as none.
        (
            "s3://logs",
            &[],
            &[
                ("AWS_ENDPOINT_URL", "http://a"),
                ("AWS_ENDPOINT_URL_S3", "http://b"),
            ],
            &["AWS_ENDPOINT_URL_S3"],
        ),
        (
            "s3://logs",
            &[],
            &[
                ("AWS_ENDPOINT_URL", "http://a"),
                ("AWS_ENDPOINT_URL_S3", ""),
            ],
            &["AWS_ENDPOINT_URL"],
        ),
        (
            "s3://logs",
            &[],
            &[("HTTPS_PROXY", "http://p")],
            &["HTTPS_PROXY"],
        ),
        (
            "s3://logs",
            &["proxy_url"],
            &[("HTTPS_PROXY", "http://p")],
            &[],
        ),
        (
            "az://logs",
            &["use_emulator"],
            &[("AZURITE_BLOB_STORAGE_URL", "x")],
            &["AZURITE_BLOB_STORAGE_URL"],
        ),
        (
            "gs://logs",
            &[],
            &[("GCE_METADATA_HOST", "x")],
            &["GCE_METADATA_HOST"],
        ),
        (
            "gs://logs",
            &["bearer_token"],
            &[("GCE_METADATA_HOST", "x")],
            &[],
        ),
        (
            "file:///data",
            &[],
            &[("AWS_REGION", "x"), ("HTTP_PROXY", "x")],
            &[],
        ),
    ] {
        let (used, _) = environment(url, written, variables);
        assert_eq!(used, names, "{url} {written:?}");
    }
}

#[test]
fn variables_that_libraries_read_are_checked_too() {
    let kind_of = |url: &str, variable: &str, value: &str| {
        let address = Address::parse(url).expect(url);
        let layer = settle(&address, "store.url", &BTreeMap::new(), &|name| {
            (name == variable).then(|| value.to_owned())
        });
        let [used] = layer.used.as_slice() else {
            panic!("{variable}: {layer:?}");
        };
        used.kind
    };
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    std::fs::write(path("empty.pem"), "").unwrap();
    const S3: &str = "s3://logs";
    for (url, variable, value, told) in [
        (
            S3,
            "HTTP_PROXY",
            "foo bar".to_owned(),
            "is not the address of a proxy",
        ),
        (
            S3,
            "http_proxy",
            "socks9://x".to_owned(),
            "begins with `socks9://`",
        ),
        (
            S3,
            "ALL_PROXY",
            "socks5://x".to_owned(),
            "begins with `socks5://`",
        ),
        (S3, "HTTPS_PROXY", "$PROXY".to_owned(), "was not expanded"),
        (S3, "NO_PROXY", "${NO_PROXY}".to_owned(), "was not expanded"),
        (
            S3,
            "https_proxy",
            "me:hunter2@a b".to_owned(),
            "is not the address of a proxy",
        ),
        (S3, "SSL_CERT_FILE", path("none.pem"), "can't be read"),
        (
            S3,
            "SSL_CERT_FILE",
            path("empty.pem"),
            "holds no certificate",
        ),
        (S3, "SSL_CERT_FILE", String::new(), "is empty"),
        (S3, "SSL_CERT_DIR", path("none"), "can't be read"),
        (
            "gs://logs",
            "GCE_METADATA_HOST",
            "http://127.0.0.1:9".to_owned(),
            "not a host such as `127.0.0.1:9000`",
        ),
    ] {
        let bad = kind_of(url, variable, &value)
            .check(&value)
            .expect_err(&value);
        let bad = bad.to_string();
        assert!(
            bad.contains(told) && !bad.contains("hunter"),
            "{variable}: {bad}"
        );
    }
    let dirs = dir.path().display();
    let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/tls/ca.pem");
    for (variable, value) in [
        ("HTTP_PROXY", "proxy:3128".to_owned()),
        ("HTTP_PROXY", "http://me:pw@proxy:3128/".to_owned()),
        ("all_proxy", "127.0.0.1:3128".to_owned()),
        ("NO_PROXY", "localhost, .internal,10.0.0.0/8 ".to_owned()),
        ("SSL_CERT_DIR", format!("{dirs}:/")),
        ("SSL_CERT_FILE", ca.to_owned()),
    ] {
        let checked = kind_of(S3, variable, &value).check(&value);
        assert_eq!(checked, Ok(()), "{variable} = {value}");
    }
}

#[test]
fn of_two_proxy_variables_the_first_that_is_set_counts() {
    let both = [("HTTP_PROXY", "http://a"), ("http_proxy", "http://b")];
    let (used, unused) = environment("s3://logs", &[], &both);
    assert_eq!(
        (used, unused),
        (vec!["HTTP_PROXY".to_owned()], vec!["http_proxy".to_owned()])
    );
    // Even if it is empty.
    let empty = [("HTTP_PROXY", ""), ("http_proxy", "http://b")];
    let (used, unused) = environment("s3://logs", &[], &empty);
    assert_eq!((used, unused), (vec![], vec!["http_proxy".to_owned()]));
}
