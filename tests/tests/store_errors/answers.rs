//! Answers that real stores, gateways and proxies give.

use anyhow::{Context, Result, ensure};
use tidegate::contract::FailureKind::{
    self, NotFound, Other, PermissionDenied, Throttled, Unavailable,
};
use tidegate_tests::stub::{Answer, Stub};

use crate::Request::{self, Create, Head, List};
use crate::{azure, fails, gcs, parseable, plain_s3};

/// 25 minutes after the clock of these tests.
const LATER: &str = "Tue, 01 Dec 2026 00:25:00 GMT";
const EARLIER: &str = "Mon, 30 Nov 2026 23:35:00 GMT";

struct Case {
    answer: Answer,
    request: Request,
    kind: FailureKind,
    words: &'static [&'static str],
}

fn case(
    answer: Answer,
    request: Request,
    kind: FailureKind,
    words: &'static [&'static str],
) -> Case {
    Case {
        answer,
        request,
        kind,
        words,
    }
}

fn s3_cases() -> Vec<Case> {
    let skewed = |date: &str| {
        Answer::s3(
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the server&#39;s time is too large.",
        )
        .header("date", date)
    };
    vec![
        // Clocks.
        case(
            skewed(LATER),
            List,
            PermissionDenied,
            &["server's time", "this machine's clock is 25m behind", "set the clock"],
        ),
        case(skewed(EARLIER), Create, PermissionDenied, &["this machine's clock is 25m ahead"]),
        // An answer to HEAD has no body, so the dates alone say it.
        case(
            Answer::new(403).header("date", LATER),
            Head,
            PermissionDenied,
            &["403 Forbidden", "this machine's clock is 25m behind"],
        ),
        // Credentials.
        case(
            Answer::s3(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
            List,
            PermissionDenied,
            &["InvalidAccessKeyId", "check `store.options.access_key_id`"],
        ),
        case(
            Answer::s3(403, "SignatureDoesNotMatch", "The request signature we calculated does not match"),
            Create,
            PermissionDenied,
            &["check `store.options.secret_access_key`"],
        ),
        case(
            Answer::s3(400, "ExpiredToken", "The provided token has expired."),
            List,
            PermissionDenied,
            &["the credentials have expired", "renew `store.options.access_key_id` and `store.options.secret_access_key`"],
        ),
        case(
            Answer::s3(403, "AccessDenied", "Access Denied"),
            Create,
            PermissionDenied,
            &["AccessDenied", "read, write and list in the bucket logs"],
        ),
        case(
            Answer::new(403),
            Head,
            PermissionDenied,
            &["403 Forbidden", "`store.options.access_key_id`", "read, write and list"],
        ),
        case(
            Answer::s3(400, "InvalidRequest", "The authorization mechanism you have provided is not supported."),
            List,
            Other,
            &["signature version 4"],
        ),
        case(
            Answer::s3(
                400,
                "InvalidRequest",
                "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters",
            ),
            Create,
            Other,
            &["Object Lock", "set `store.options.checksum_algorithm` to \"sha256\""],
        ),
        // A message may repeat what was sent, escaped.
        case(
            Answer::s3(400, "Odd", "the key must&amp;never&lt;show&gt; is odd"),
            List,
            Other,
            &["the key [redacted] is odd"],
        ),
        // The bucket.
        case(
            Answer::s3(404, "NoSuchBucket", "The specified bucket does not exist"),
            List,
            NotFound,
            &["the bucket logs does not exist", "`store.url`"],
        ),
        // One that is read, at something that takes no writes.
        case(
            Answer::new(404),
            Create,
            Other,
            &["404 Not Found", "the bucket logs can be read", "does not take writes", "check `store.options.endpoint`"],
        ),
        case(
            Answer::s3(301, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint.")
                .header("x-amz-bucket-region", "eu-north-1"),
            List,
            Other,
            &["the bucket logs is in the region eu-north-1", "`store.options.region` to \"eu-north-1\"", "`store.options.endpoint`"],
        ),
        case(
            Answer::new(301).header("x-amz-bucket-region", "eu-north-1"),
            Head,
            Other,
            &["the bucket logs is in the region eu-north-1"],
        ),
        case(
            Answer::new(301),
            Head,
            Other,
            &["another region or endpoint", "`store.options.region`"],
        ),
        case(
            Answer::s3(301, "PermanentRedirect", "elsewhere")
                .body("<Error><Code>PermanentRedirect</Code><Endpoint>logs.s3.eu-west-1.amazonaws.com</Endpoint></Error>"),
            List,
            Other,
            &["is at the endpoint logs.s3.eu-west-1.amazonaws.com", "`store.options.endpoint`"],
        ),
        case(Answer::new(304), List, Other, &["a cache in between"]),
        case(
            Answer::s3(400, "AuthorizationHeaderMalformed", "The authorization header is malformed; the region &apos;us-east-1&apos; is wrong; expecting &apos;eu-north-1&apos;")
                .header("x-amz-bucket-region", "eu-north-1"),
            Create,
            Other,
            &["the region 'us-east-1' is wrong", "the bucket logs is in the region eu-north-1"],
        ),
        // Load.
        case(
            Answer::s3(503, "SlowDown", "Please reduce your request rate."),
            List,
            Throttled,
            &["SlowDown", "lower `store.requests_per_second`"],
        ),
        case(Answer::new(429), Head, Throttled, &["lower `store.requests_per_second`"]),
        case(Answer::new(500), Head, Unavailable, &["500 Internal Server Error"]),
        // Something else than a store.
        case(
            Answer::new(400).body("Client sent an HTTP request to an HTTPS server.\n"),
            List,
            Other,
            &["speaks TLS", "write `https://` in `store.options.endpoint`"],
        ),
        case(
            Answer::new(405).header("content-type", "text/html; charset=utf-8").body("<html>Console</html>"),
            List,
            Other,
            &["a web page", "`store.options.endpoint`"],
        ),
        case(
            Answer::new(407).header("proxy-authenticate", "Basic"),
            List,
            Unavailable,
            &["a proxy", "wants credentials", "407"],
        ),
    ]
}

#[tokio::test]
async fn an_answer_of_s3_is_reported_with_its_cause_and_a_remedy() -> Result<()> {
    for case in s3_cases() {
        let stub = Stub::answering(case.answer.clone()).await?;
        let settings = plain_s3(&stub.http_url());
        let message = fails(&settings, case.request, case.kind, case.words)
            .await
            .with_context(|| format!("{:?}", case.answer))?;
        ensure!(message.contains(&stub.host()), "{message}");
        ensure!(!message.contains("AKIASTUB"), "{message}");
    }
    Ok(())
}

#[tokio::test]
async fn hints_name_the_variables_of_a_parseable_node() -> Result<()> {
    for (answer, words) in [
        (
            Answer::s3(403, "InvalidAccessKeyId", "unknown"),
            "check P_S3_ACCESS_KEY",
        ),
        (
            Answer::s3(403, "SignatureDoesNotMatch", "no"),
            "check P_S3_SECRET_KEY",
        ),
        (Answer::s3(404, "NoSuchBucket", "none"), "P_S3_BUCKET"),
        (
            Answer::new(301).header("x-amz-bucket-region", "eu-north-1"),
            "P_S3_REGION to \"eu-north-1\"",
        ),
        (
            Answer::new(400).body("Client sent an HTTP request to an HTTPS server.\n"),
            "write `https://` in P_S3_URL",
        ),
        (
            Answer::s3(503, "SlowDown", "slow"),
            "`store.requests_per_second`",
        ),
    ] {
        let stub = Stub::answering(answer.clone()).await?;
        let failure = crate::failure(&parseable(&stub.http_url())?, List).await?;
        ensure!(
            failure.message.contains(words),
            "{answer:?}: {}",
            failure.message
        );
        ensure!(
            !failure.message.contains("store.options"),
            "{}",
            failure.message
        );
        ensure!(
            !failure.message.contains("store.url"),
            "{}",
            failure.message
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_redirect_to_another_host_is_reported_as_one() -> Result<()> {
    // Signatures don't go along to another host.
    let other = Stub::answering(Answer::s3(
        403,
        "AccessDenied",
        "Anonymous access is forbidden",
    ))
    .await?;
    let to = format!("{}/logs", other.http_url());
    let stub = Stub::answering(Answer::new(307).header("location", to)).await?;
    let redirects = format!("{} redirects to {}", stub.host(), other.host());
    let words = [&*redirects, "AccessDenied", "`store.options.endpoint`"];
    fails(&plain_s3(&stub.http_url()), List, PermissionDenied, &words).await?;
    Ok(())
}

#[tokio::test]
async fn answers_of_azure_are_reported_with_their_cause_and_a_remedy() -> Result<()> {
    let answer = |status, code: &str, message: &str| {
        Answer::new(status)
            .header("content-type", "application/xml")
            .header("x-ms-error-code", code)
            .body(format!(
                "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
            ))
    };
    for case in [
        case(
            answer(
                403,
                "AuthenticationFailed",
                "Server failed to authenticate the request.",
            ),
            List,
            PermissionDenied,
            &["AuthenticationFailed", "check `store.options.access_key`"],
        ),
        case(
            answer(
                403,
                "AuthenticationFailed",
                "Server failed to authenticate the request.",
            )
            .header("date", LATER),
            Head,
            PermissionDenied,
            &["this machine's clock is 25m behind"],
        ),
        case(
            answer(
                403,
                "AuthorizationFailure",
                "This request is not authorized to perform this operation.",
            ),
            List,
            PermissionDenied,
            &["network rules"],
        ),
        case(
            answer(
                403,
                "AuthorizationPermissionMismatch",
                "This request is not authorized",
            ),
            List,
            PermissionDenied,
            &["Storage Blob Data Contributor"],
        ),
        case(
            answer(
                404,
                "ContainerNotFound",
                "The specified container does not exist.",
            ),
            Head,
            NotFound,
            &["the container logs does not exist", "`store.url`"],
        ),
        // Not lost races, though the statuses are theirs.
        case(
            answer(
                409,
                "BlobImmutableDueToPolicy",
                "This operation is not permitted as the blob is immutable due to a policy.",
            ),
            Create,
            Other,
            &["a policy forbids changes in the container logs"],
        ),
        case(
            answer(
                412,
                "LeaseIdMissing",
                "There is currently a lease on the blob and no lease ID was specified in the request.",
            ),
            Create,
            Other,
            &["another program holds a lease on the object"],
        ),
        case(
            answer(503, "ServerBusy", "busy"),
            List,
            Throttled,
            &["`store.requests_per_second`"],
        ),
    ] {
        let stub = Stub::answering(case.answer.clone()).await?;
        fails(
            &azure(&stub.http_url()),
            case.request,
            case.kind,
            case.words,
        )
        .await
        .with_context(|| format!("{:?}", case.answer))?;
    }
    Ok(())
}

#[tokio::test]
async fn answers_of_gcs_are_reported_with_their_cause_and_a_remedy() -> Result<()> {
    for case in [
        case(
            Answer::s3(401, "AuthenticationRequired", "Authentication required."),
            List,
            PermissionDenied,
            &["`store.options.service_account_key`"],
        ),
        case(
            Answer::s3(
                403,
                "AccessDenied",
                "x does not have storage.objects.list access",
            ),
            List,
            PermissionDenied,
            &[
                "storage.objects.list",
                "read, write and list in the bucket logs",
            ],
        ),
        case(
            Answer::s3(404, "NoSuchBucket", "The specified bucket does not exist."),
            List,
            NotFound,
            &["the bucket logs does not exist"],
        ),
        case(
            Answer::new(403)
                .header("content-type", "application/json")
                .body(r#"{"error":{"code":403,"message":"billing is disabled","errors":[]}}"#),
            List,
            PermissionDenied,
            &["403 Forbidden (billing is disabled)"],
        ),
    ] {
        let stub = Stub::answering(case.answer.clone()).await?;
        fails(&gcs(&stub.http_url()), case.request, case.kind, case.words)
            .await
            .with_context(|| format!("{:?}", case.answer))?;
    }
    Ok(())
}

#[tokio::test]
async fn an_expired_token_is_named_by_its_key() -> Result<()> {
    let stub = Stub::answering(Answer::s3(400, "ExpiredToken", "expired")).await?;
    let settings = plain_s3(&stub.http_url()).with_option("session_token", "a-session");
    let words = ["renew `store.options.session_token`"];
    fails(&settings, List, PermissionDenied, &words).await?;
    Ok(())
}
