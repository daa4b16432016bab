//! Servers that are no store and answer 200 all the same, and stores whose answers can't be read.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use http::Method;
use tidegate::contract::FailureKind::{Other, PermissionDenied, Unavailable};
use tidegate::storage::{Fetched, Key, Put, Store};
use tidegate_tests::clock::StepClock;
use tidegate_tests::stub::{Answer, Stub};

use crate::Request::{self, Create, Get, Head, List};
use crate::{azure, fails, gcs, plain_s3};

const PAGE: &str = "<!DOCTYPE html>\n<html><body>Welcome &amp; log in</body></html>";

/// What a console or a captive portal answers to everything.
fn page() -> Answer {
    Answer::new(200)
        .header("content-type", "text/html; charset=utf-8")
        .header("etag", "\"page\"")
        .header("last-modified", "Mon, 30 Nov 2026 00:00:00 GMT")
        .body(PAGE)
}

fn listing(body: &str) -> Answer {
    Answer::new(200)
        .header("content-type", "application/xml")
        .body(body)
}

#[tokio::test]
async fn a_web_page_is_not_taken_for_what_is_stored() -> Result<()> {
    let stub = Stub::answering(page()).await?;
    let url = stub.http_url();
    for settings in [plain_s3(&url), azure(&url), gcs(&url)] {
        for request in [Head, Get, List, Create] {
            let host = stub.host();
            let words = [
                "answered 200 OK with a web page",
                "check host and port",
                &host,
            ];
            fails(&settings, request, Unavailable, &words)
                .await
                .with_context(|| format!("{request:?} to {}", settings.url))?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_proxy_that_may_have_sent_a_page_is_named() -> Result<()> {
    let proxy = Stub::answering(page()).await?;
    let settings = plain_s3("http://s3.test").with_option("proxy_url", proxy.http_url());
    let host = proxy.host();
    let words = [
        "a web page",
        "the proxy",
        &host,
        "`store.options.proxy_url`",
    ];
    for request in [Get, List] {
        fails(&settings, request, Unavailable, &words).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_object_that_is_marked_as_html_is_read() -> Result<()> {
    let stub = Stub::answering(page().body("{\"version\":\"v1\"}")).await?;
    let store = Store::open(&plain_s3(&stub.http_url()), Arc::new(StepClock::default()))?;
    let key = Key::parse("app/.stream/.schema")?;
    match store.get(&key, 1024).await? {
        Fetched::Found(object) => ensure!(object.bytes == "{\"version\":\"v1\"}"),
        other => anyhow::bail!("{other:?}"),
    }
    // HEAD has no body that could be looked at; a store names its requests.
    let named = page()
        .header("x-amz-request-id", "1")
        .header("content-length", "60");
    let stub = Stub::answering(named).await?;
    let store = Store::open(&plain_s3(&stub.http_url()), Arc::new(StepClock::default()))?;
    ensure!(store.head(&key).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn an_object_without_etag_and_time_is_not_a_stores() -> Result<()> {
    let stub = Stub::answering(Answer::new(200).body("{\"status\":\"ok\"}")).await?;
    for request in [Head, Get] {
        let words = ["neither ETag nor Last-Modified", "`store.options.endpoint`"];
        fails(&plain_s3(&stub.http_url()), request, Unavailable, &words).await?;
    }
    Ok(())
}

#[tokio::test]
async fn only_a_listing_is_taken_for_a_listing() -> Result<()> {
    for (answer, words) in [
        (listing(""), "an empty body instead of a listing"),
        (Answer::new(204), "204 No Content with an empty body"),
        (
            listing("<html><body>no type</body></html>"),
            "<html> instead of a listing",
        ),
        (listing("{\"items\":[]}"), "something other than XML"),
        (
            listing("<?xml version=\"1.0\"?><Error><Code>InternalError</Code></Error>"),
            "<Error> instead of a listing",
        ),
        (
            listing("<?xml version=\"1.0\"?><ListBucketResult><Name>b"),
            "a listing that can't be read",
        ),
        (
            listing("<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>"),
            "a listing that can't be read",
        ),
    ] {
        let stub = Stub::answering(answer.clone()).await?;
        let words = [words, "`store.options.endpoint`"];
        for settings in [plain_s3(&stub.http_url()), gcs(&stub.http_url())] {
            let words = match settings.url.starts_with("gs:") {
                true => [words[0], "`store.options.base_url`"],
                false => words,
            };
            let message = fails(&settings, List, Unavailable, &words)
                .await
                .with_context(|| format!("{answer:?}"))?;
            ensure!(!message.contains("Generic"), "{message}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_write_without_an_etag_is_done_and_has_no_version() -> Result<()> {
    let stub = Stub::answering(Answer::new(200)).await?;
    let store = Store::open(&plain_s3(&stub.http_url()), Arc::new(StepClock::default()))?;
    let key = Key::parse("app/.stream/.schema")?;
    match store.create(&key, "{}".into()).await {
        Put::Done(info) => ensure!(info.version.is_none(), "{info:?}"),
        put => anyhow::bail!("{put:?}"),
    }
    Ok(())
}

#[tokio::test]
async fn headers_that_can_not_be_read_are_named() -> Result<()> {
    let stub = Stub::answering(
        Answer::new(200)
            .header("etag", "\"a\"")
            .header("content-length", "60")
            .header("last-modified", "yesterday"),
    )
    .await?;
    let words = [
        "200 OK",
        "can't be read",
        "yesterday",
        "`store.options.endpoint`",
    ];
    let message = fails(&plain_s3(&stub.http_url()), Head, Unavailable, &words).await?;
    ensure!(!message.contains("Generic"), "{message}");
    Ok(())
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_reported_as_that() -> Result<()> {
    let listing =
        Stub::bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<ListBucketResult>").await?;
    let object = Stub::bytes(
        b"HTTP/1.1 200 OK\r\nETag: \"a\"\r\nLast-Modified: Mon, 30 Nov 2026 00:00:00 GMT\r\nContent-Length: 1000\r\n\r\n{",
    )
    .await?;
    for (stub, request) in [(listing, List), (object, Get)] {
        let host = stub.host();
        let words = ["200 OK", "broke off", "cuts connections", &host];
        fails(&plain_s3(&stub.http_url()), request, Unavailable, &words).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_page_of_a_gateway_says_that_the_store_behind_it_is_down() -> Result<()> {
    let stub = Stub::answering(
        Answer::new(502)
            .header("content-type", "text/html")
            .body("<html>502 Bad Gateway</html>"),
    )
    .await?;
    let words = ["502 Bad Gateway", "a gateway in front of the store"];
    fails(&plain_s3(&stub.http_url()), List, Unavailable, &words).await?;
    Ok(())
}

#[tokio::test]
async fn a_page_with_an_error_status_keeps_its_meaning() -> Result<()> {
    for (status, kind) in [(403, PermissionDenied), (418, Other)] {
        let stub = Stub::http(move |request| match *request.method() {
            Method::GET => Answer::new(status)
                .header("content-type", "text/html")
                .body(PAGE),
            _ => Answer::new(500),
        })
        .await?;
        fails(
            &plain_s3(&stub.http_url()),
            Request::List,
            kind,
            &["a web page"],
        )
        .await?;
    }
    Ok(())
}
