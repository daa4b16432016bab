//! Connections that fail: addresses, TLS, proxies.

use std::time::Duration;

use anyhow::{Result, ensure};
use tidegate::contract::FailureKind::{Other, PermissionDenied, Throttled, Timeout, Unavailable};
use tidegate::storage::StoreSettings;
use tidegate_tests::stub::{Answer, CA, Certificate, Stub, closed_port};

use crate::Request::{Create, List};
use crate::{fails, parseable, plain_s3, s3};

fn empty_listing() -> Answer {
    Answer::new(200).body("<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>")
}

#[tokio::test]
async fn a_refused_connection_names_the_endpoint() -> Result<()> {
    let host = closed_port().await?;
    let words = [
        "no connection to",
        &*host,
        "Connection refused",
        "`store.options.endpoint`",
    ];
    let url = format!("http://{host}");
    fails(&plain_s3(&url), Create, Unavailable, &words).await?;
    fails(&parseable(&url)?, Create, Unavailable, &["P_S3_URL", &host]).await?;
    Ok(())
}

#[tokio::test]
async fn an_unknown_host_name_is_named() -> Result<()> {
    // A label that is too long for DNS, so that nothing is asked of any name server.
    let host = "x".repeat(64);
    let words = ["unknown host", &*host, "`store.options.endpoint`"];
    fails(
        &plain_s3(&format!("http://{host}")),
        List,
        Unavailable,
        &words,
    )
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_recognized() -> Result<()> {
    let stub = Stub::answering(Answer::new(400)).await?;
    let words = [
        "does not speak TLS",
        "write `http://` in `store.options.endpoint`",
        "`store.options.allow_http = true`",
    ];
    fails(&s3(&stub.https_url()), List, Unavailable, &words).await?;
    let message = fails(
        &parseable(&stub.https_url())?,
        List,
        Unavailable,
        &["write `http://` in P_S3_URL"],
    )
    .await?;
    ensure!(!message.contains("allow_http"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_server_that_speaks_tls_is_recognized() -> Result<()> {
    // An alert of TLS.
    let stub = Stub::bytes(b"\x15\x03\x01\x00\x02\x02\x46").await?;
    let words = [
        "does not answer in HTTP",
        "write `https://` in `store.options.endpoint`",
    ];
    fails(&plain_s3(&stub.http_url()), List, Unavailable, &words).await?;
    Ok(())
}

#[tokio::test]
async fn certificates_are_refused_for_what_is_wrong_with_them() -> Result<()> {
    for (certificate, words) in [
        (
            Certificate::Valid,
            ["an authority that is not trusted here", "`store.ca_file`"],
        ),
        (
            Certificate::OtherName,
            ["is for other.example.com", "`store.options.endpoint`"],
        ),
        (
            Certificate::Expired,
            ["has expired", "this machine's clock"],
        ),
        (Certificate::OwnAuthority, ["(CA:TRUE)", "CA:FALSE"]),
        (
            Certificate::Early,
            ["is not valid yet", "this machine's clock"],
        ),
    ] {
        let stub = Stub::https(certificate, |_| empty_listing()).await?;
        let mut settings = s3(&stub.https_url());
        if certificate != Certificate::Valid {
            settings.ca_file = Some(CA.into());
        }
        let host = stub.host();
        let words = [words[0], words[1], &host];
        fails(&settings, List, Unavailable, &words).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_its_certificate_is_named() -> Result<()> {
    let stub = Stub::https(Certificate::Valid, |_| {
        Answer::s3(503, "SlowDown", "reached")
    })
    .await?;
    let mut settings = s3(&stub.https_url());
    settings.ca_file = Some(CA.into());
    fails(&settings, List, Throttled, &["reached"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named() -> Result<()> {
    let stub = Stub::silent().await?;
    let mut settings = plain_s3(&stub.http_url());
    settings.request_timeout = std::time::Duration::from_millis(200);
    let host = stub.host();
    fails(&settings, List, Timeout, &["did not answer", &host]).await?;
    Ok(())
}

#[tokio::test]
async fn a_proxy_that_is_down_is_named() -> Result<()> {
    let proxy = format!("http://me:pw@{}", closed_port().await?);
    for settings in [s3("https://s3.test"), plain_s3("http://s3.test")] {
        let settings = settings.with_option("proxy_url", &proxy);
        let host = proxy.trim_start_matches("http://me:pw@");
        let words = [
            "no connection to s3.test",
            "the proxy",
            host,
            "`store.options.proxy_url`",
            "Connection refused",
        ];
        let message = fails(&settings, List, Unavailable, &words).await?;
        ensure!(!message.contains("me:pw"), "{message}");
    }
    Ok(())
}

#[tokio::test]
async fn what_does_not_answer_in_time_is_named() -> Result<()> {
    // It takes connections, and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let host = silent.local_addr()?.to_string();
    let url = format!("http://{host}");
    let hasty = |settings: StoreSettings| StoreSettings {
        request_timeout: Duration::from_millis(200),
        ..settings
    };
    let words = [
        &*host,
        "did not answer in time",
        "check `store.options.endpoint`",
        "`sync.attempt_timeout`",
    ];
    fails(&hasty(plain_s3(&url)), List, Timeout, &words).await?;
    for settings in [s3("https://s3.test"), plain_s3("http://s3.test")] {
        let settings = hasty(settings).with_option("proxy_url", &url);
        let words = [
            "s3.test did not answer in time through",
            "the proxy",
            &host,
            "`store.options.proxy_url`",
        ];
        fails(&settings, List, Timeout, &words).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named() -> Result<()> {
    for (status, words) in [(403, "refuses"), (407, "wants credentials")] {
        let proxy = Stub::answering(Answer::new(status)).await?;
        let host = proxy.host();
        let words = ["the proxy", &*host, words, "`store.options.proxy_url`"];
        // Over TLS it is asked for a tunnel.
        let tls = s3("https://s3.test").with_option("proxy_url", proxy.http_url());
        fails(&tls, List, Unavailable, &words).await?;
    }
    // Without TLS its answer is taken for the store's.
    let proxy = Stub::answering(
        Answer::new(403)
            .header("content-type", "text/html")
            .body("<html>no</html>"),
    )
    .await?;
    let plain = plain_s3("http://s3.test").with_option("proxy_url", proxy.http_url());
    let host = proxy.host();
    fails(
        &plain,
        List,
        PermissionDenied,
        &["403", "the proxy", &host, "`store.options.proxy_url`"],
    )
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_proxy_that_does_not_answer_in_http_is_named() -> Result<()> {
    for (bytes, words) in [
        (&b""[..], "check that it is an HTTP proxy"),
        (b"SSH-2.0-OpenSSH_9\r\n", "does not answer in HTTP"),
    ] {
        let proxy = Stub::bytes(bytes).await?;
        let settings = plain_s3("http://s3.test").with_option("proxy_url", proxy.http_url());
        let named = format!("the proxy {}", proxy.host());
        let words = [words, &named, "`store.options.proxy_url`"];
        fails(&settings, List, Unavailable, &words).await?;
    }
    // A tunnel that is not even refused.
    let proxy = Stub::bytes(b"").await?;
    let settings = s3("https://s3.test").with_option("proxy_url", proxy.http_url());
    let words = ["the proxy", "closes the connection", "s3.test"];
    fails(&settings, List, Unavailable, &words).await?;
    Ok(())
}

#[tokio::test]
async fn a_proxy_that_does_not_speak_tls_is_not_taken_for_the_store() -> Result<()> {
    let proxy = Stub::answering(Answer::new(200)).await?;
    for settings in [s3("https://s3.test"), plain_s3("http://s3.test")] {
        let settings = settings.with_option("proxy_url", proxy.https_url());
        let named = format!("the proxy {}", proxy.host());
        let words = [
            &*named,
            "does not speak TLS",
            "write `http://` in `store.options.proxy_url`",
        ];
        let message = fails(&settings, List, Unavailable, &words).await?;
        ensure!(!message.contains("allow_http"), "{message}");
    }
    Ok(())
}

#[tokio::test]
async fn the_certificate_of_a_proxy_is_not_taken_for_the_stores() -> Result<()> {
    let proxy = Stub::https(Certificate::Expired, |_| empty_listing()).await?;
    let mut settings = s3("https://s3.test").with_option("proxy_url", proxy.https_url());
    settings.ca_file = Some(CA.into());
    let named = format!("the proxy {}", proxy.host());
    let words = [&*named, "its certificate has expired"];
    fails(&settings, List, Unavailable, &words).await?;
    Ok(())
}

#[tokio::test]
async fn a_proxy_that_does_not_reach_the_store_is_not_called_unreachable() -> Result<()> {
    for status in [500, 502, 503] {
        let proxy = Stub::answering(Answer::new(status)).await?;
        let settings = s3("https://s3.test").with_option("proxy_url", proxy.http_url());
        let words = ["the proxy", "answers", "check that the proxy reaches it"];
        fails(&settings, List, Unavailable, &words).await?;
    }
    // A tunnel whose other end is cut.
    let proxy = Stub::bytes(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    let settings = s3("https://s3.test").with_option("proxy_url", proxy.http_url());
    let words = ["the proxy", "connected to s3.test", "the connection broke"];
    let message = fails(&settings, List, Unavailable, &words).await?;
    ensure!(!message.contains("start it"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_redirect_to_tls_that_fails_is_not_blamed_on_the_first_host() -> Result<()> {
    let other = Stub::answering(Answer::new(200)).await?;
    let untrusted = Stub::https(Certificate::Valid, |_| empty_listing()).await?;
    for (to, words) in [
        (other.https_url(), "does not speak TLS"),
        (untrusted.https_url(), "issuer is not trusted"),
    ] {
        let stub = Stub::answering(Answer::new(307).header("location", to)).await?;
        let host = stub.host();
        let words = [words, "redirects to", &host, "`store.options.endpoint`"];
        let message = fails(&plain_s3(&stub.http_url()), List, Unavailable, &words).await?;
        ensure!(!message.contains("allow_http"), "{message}");
    }
    Ok(())
}

#[tokio::test]
async fn redirects_in_a_circle_are_reported_as_that() -> Result<()> {
    let stub = Stub::http(|request| Answer::new(307).header("location", request.uri().to_string()))
        .await?;
    let host = stub.host();
    let words = [
        "redirects again and again",
        &host,
        "`store.options.endpoint`",
    ];
    fails(&plain_s3(&stub.http_url()), List, Unavailable, &words).await?;
    Ok(())
}

#[tokio::test]
async fn a_panic_of_the_library_is_a_failure_like_any_other() -> Result<()> {
    // Its address has no scheme, which only the key says.
    let key = r#"{"private_key":"x","private_key_id":"x","client_email":"x","disable_oauth":true,"gcs_base_url":"127.0.0.1:9"}"#;
    let settings = StoreSettings::new("gs://logs").with_option("service_account_key", key);
    let words = [
        "the request could not be made",
        "check the store's address and its credentials",
    ];
    fails(&settings, List, Other, &words).await?;
    Ok(())
}

#[tokio::test]
async fn a_redirect_to_plain_http_that_is_not_allowed_is_reported_as_that() -> Result<()> {
    let plain = Stub::answering(Answer::new(200)).await?;
    let to = plain.http_url();
    let stub = Stub::https(Certificate::Valid, move |_| {
        Answer::new(307).header("location", to.clone())
    })
    .await?;
    let mut settings = s3(&stub.https_url());
    settings.ca_file = Some(CA.into());
    let words = ["plain HTTP", "`store.options.allow_http = true`"];
    fails(&settings, List, Unavailable, &words).await?;
    Ok(())
}
