//! From what object_store reports to what it means for the caller.

use std::any::Any;
use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use http::StatusCode;
use object_store::Error;
use object_store::client::HttpErrorKind;

use crate::contract::{FailureKind, StoreFailure};
use crate::time::{Timestamp, in_full};

use super::advice::Advisor;
use super::body;
use super::file::FileTrouble;
use super::observe::{Exchange, Role};
use super::redact::one_line;
use super::stranger::Asked;
use crate::transport::{Cause, causes, innermost};

/// What an operation's error says about the object and about what was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nothing stands there.
    Missing,
    /// Something stands there, or is being written there.
    Exists,
    /// Something else stands there than the condition names.
    Stale,
    /// What stands there is what the caller has.
    Unchanged,
    /// The store did nothing, and said so.
    Refused,
    /// The store may have done it.
    Unclear,
}

/// An operation's error: what it says, and how to report it where that is no answer.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) answer: Answer,
    pub(super) failure: StoreFailure,
}

/// Codes for a bucket or container that is missing or going away: S3 and GCS, Azure twice.
const NO_BUCKET: [&str; 3] = ["NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted"];

/// Codes of Azure for an object that nobody may change now. Their statuses are those of a lost race.
const HELD: [&str; 2] = ["BlobImmutableDueToPolicy", "LeaseIdMissing"];

/// Codes by which stores ask for fewer requests, besides the status 429.
const THROTTLED: [&str; 4] = [
    "SlowDown",
    "ServerBusy",
    "RequestLimitExceeded",
    "Throttling",
];

/// The one among them that promises that nothing was done.
const NOTHING_DONE: &str = "SlowDown";

/// Codes that say that credentials are not valid, with any status.
const NOT_VALID: [&str; 3] = ["ExpiredToken", "InvalidToken", "TokenRefreshRequired"];

/// Sorts `error`, met while doing `what` (`read a/b`), after the HTTP `exchange`, where there was one.
pub(super) fn sort(
    error: &Error,
    what: &str,
    exchange: &Exchange,
    now: Timestamp,
    advisor: &Advisor,
) -> Trouble {
    if let Some(failure) = find::<StoreFailure>(error) {
        return simulated(failure);
    }
    let text = error.to_string();
    let code = exchange.code.clone().or_else(|| body::code(&text));
    let (answer, kind) = match advisor.lacks_credentials(error, exchange) {
        true => (Answer::Refused, FailureKind::PermissionDenied),
        false => meaning(error, exchange, code.as_deref()),
    };
    let mut detail = match find::<FileTrouble>(error) {
        Some(trouble) => format!("{trouble}: {}", innermost(error)),
        None => advisor.describe(error, &text, exchange, code.as_deref(), now),
    };
    if kind == FailureKind::Throttled {
        detail.push_str(": lower `store.requests_per_second`");
    }
    Trouble {
        answer,
        failure: StoreFailure {
            kind,
            message: one_line(&format!("can't {what}: {detail}")),
            retry_after: exchange.retry_after(now),
        },
    }
}

/// No answer came in time.
pub(super) fn timed_out(
    what: &str,
    after: Duration,
    exchange: &Exchange,
    advisor: &Advisor,
) -> Trouble {
    let detail = advisor.describe_timeout(exchange, &in_full(after));
    Trouble {
        answer: match exchange.role {
            // Nothing was sent to the store yet.
            Some(Role::Metadata | Role::TokenService) => Answer::Refused,
            Some(Role::Store) | None => Answer::Unclear,
        },
        failure: StoreFailure::new(
            FailureKind::Timeout,
            one_line(&format!("can't {what}: {detail}")),
        ),
    }
}

/// The library that speaks with the store panicked. Nothing is known of what it did before.
pub(super) fn panicked(what: &str, panic: &(dyn Any + Send), advisor: &Advisor) -> Trouble {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no text");
    let detail = advisor.redactor.strike(text);
    let message = format!(
        "can't {what}: the request could not be made ({detail}): check the store's address and its credentials, also \
         those that a service or a key file gives"
    );
    Trouble {
        answer: Answer::Unclear,
        failure: StoreFailure::new(FailureKind::Other, one_line(&message)),
    }
}

/// A store that is no real one says by itself what its failures mean.
fn simulated(failure: &StoreFailure) -> Trouble {
    let answer = match failure.kind {
        FailureKind::Throttled | FailureKind::PermissionDenied | FailureKind::NotFound => {
            Answer::Refused
        }
        FailureKind::PreconditionFailed => Answer::Stale,
        FailureKind::Unavailable | FailureKind::Timeout | FailureKind::Other => Answer::Unclear,
    };
    Trouble {
        answer,
        failure: StoreFailure {
            message: one_line(&failure.message),
            ..failure.clone()
        },
    }
}

fn meaning(error: &Error, exchange: &Exchange, code: Option<&str>) -> (Answer, FailureKind) {
    if let Some(Role::Metadata | Role::TokenService) = exchange.role {
        // Nothing was sent to the store.
        return match exchange.status {
            Some(status) if status.is_client_error() => {
                (Answer::Refused, FailureKind::PermissionDenied)
            }
            _ => (Answer::Refused, FailureKind::Unavailable),
        };
    }
    if code.is_some_and(|code| NOT_VALID.contains(&code)) {
        return (Answer::Refused, FailureKind::PermissionDenied);
    }
    if code.is_some_and(|code| NO_BUCKET.contains(&code)) {
        return (Answer::Refused, FailureKind::NotFound);
    }
    if code.is_some_and(|code| HELD.contains(&code)) {
        return (Answer::Refused, FailureKind::Other);
    }
    if let Some(trouble) = find::<FileTrouble>(error) {
        let answer = match trouble.nothing_written() {
            true => Answer::Refused,
            false => Answer::Unclear,
        };
        return (answer, trouble.kind());
    }
    match error {
        // A bucket that is missing has its own code here, and was read from before.
        Error::NotFound { .. } if exchange.asked == Asked::Write => {
            (Answer::Missing, FailureKind::Other)
        }
        Error::NotFound { .. } => (Answer::Missing, FailureKind::NotFound),
        Error::AlreadyExists { .. } => (Answer::Exists, FailureKind::PreconditionFailed),
        Error::Precondition { .. } => (Answer::Stale, FailureKind::PreconditionFailed),
        Error::NotModified { .. } => (Answer::Unchanged, FailureKind::PreconditionFailed),
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            (Answer::Refused, FailureKind::PermissionDenied)
        }
        Error::InvalidPath { .. }
        | Error::NotSupported { .. }
        | Error::NotImplemented { .. }
        | Error::UnknownConfigurationKey { .. } => (Answer::Refused, FailureKind::Other),
        _ => match (exchange.status, exchange.broken) {
            // An answer to HEAD carries no code; the advice to wait tells what is meant.
            (Some(StatusCode::SERVICE_UNAVAILABLE), _)
                if code.is_none() && exchange.retry_after.is_some() =>
            {
                (Answer::Unclear, FailureKind::Throttled)
            }
            // The store agreed, and object_store could make no sense of what it said: a range behind the end, at Azurite.
            (Some(StatusCode::PARTIAL_CONTENT), None) => (Answer::Unclear, FailureKind::Other),
            (Some(status), _) => by_status(status, code),
            // A connection that never stood carried nothing.
            (None, Some(HttpErrorKind::Connect)) => (Answer::Refused, FailureKind::Unavailable),
            (None, Some(HttpErrorKind::Timeout)) => (Answer::Unclear, FailureKind::Timeout),
            // Never sent.
            (None, Some(_)) if Cause::of(error) == Cause::PlainForbidden => {
                (Answer::Refused, FailureKind::Unavailable)
            }
            (None, Some(_)) => (Answer::Unclear, FailureKind::Unavailable),
            (None, None) => by_io(error),
        },
    }
}

/// Errors of the file system that object_store met by itself, which is when it reads.
fn by_io(error: &Error) -> (Answer, FailureKind) {
    match find::<io::Error>(error).map(io::Error::kind) {
        Some(io::ErrorKind::PermissionDenied) => (Answer::Refused, FailureKind::PermissionDenied),
        _ => (Answer::Unclear, FailureKind::Other),
    }
}

fn by_status(status: StatusCode, code: Option<&str>) -> (Answer, FailureKind) {
    if status == StatusCode::TOO_MANY_REQUESTS || code == Some(NOTHING_DONE) {
        return (Answer::Refused, FailureKind::Throttled);
    }
    if code.is_some_and(|code| THROTTLED.iter().any(|known| code.starts_with(known))) {
        return (Answer::Unclear, FailureKind::Throttled);
    }
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            (Answer::Refused, FailureKind::PermissionDenied)
        }
        // A proxy's.
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => (Answer::Refused, FailureKind::Unavailable),
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => {
            (Answer::Unclear, FailureKind::Timeout)
        }
        StatusCode::NOT_IMPLEMENTED => (Answer::Refused, FailureKind::Other),
        // A success with an error after it: the answer broke off, or can't be read.
        _ if status.is_server_error() || status.is_success() => {
            (Answer::Unclear, FailureKind::Unavailable)
        }
        _ => (Answer::Refused, FailureKind::Other),
    }
}

fn find<T: StdError + 'static>(error: &Error) -> Option<&T> {
    causes(error).find_map(|cause| cause.downcast_ref::<T>())
}

#[cfg(test)]
mod tests {
    use super::super::redact::Redactor;
    use super::*;

    fn generic(text: &str) -> Error {
        Error::Generic {
            store: "S3",
            source: text.to_owned().into(),
        }
    }

    fn sorted(status: u16, body: &str) -> (Answer, FailureKind, String) {
        let exchange = Exchange {
            role: Some(Role::Store),
            status: Some(StatusCode::from_u16(status).unwrap()),
            host: Some("store.test".into()),
            ..Exchange::default()
        };
        let advisor = Advisor {
            redactor: Redactor::new(["hunter2".to_owned()]),
            ..Advisor::default()
        };
        let now = Timestamp::from_millis(0);
        let trouble = sort(&generic(body), "write k", &exchange, now, &advisor);
        (
            trouble.answer,
            trouble.failure.kind,
            trouble.failure.message,
        )
    }

    #[test]
    fn statuses_and_codes_decide() {
        use Answer::{Refused, Unclear};
        for (status, body, answer, kind) in [
            (429, "", Refused, FailureKind::Throttled),
            (
                503,
                "<Code>SlowDown</Code>",
                Refused,
                FailureKind::Throttled,
            ),
            (
                503,
                "<Code>ServerBusy</Code>",
                Unclear,
                FailureKind::Throttled,
            ),
            (503, "", Unclear, FailureKind::Unavailable),
            (500, "", Unclear, FailureKind::Unavailable),
            (408, "", Unclear, FailureKind::Timeout),
            (501, "", Refused, FailureKind::Other),
            (400, "", Refused, FailureKind::Other),
            (401, "", Refused, FailureKind::PermissionDenied),
            (
                404,
                "<Code>NoSuchBucket</Code>",
                Refused,
                FailureKind::NotFound,
            ),
            (200, "cut short", Unclear, FailureKind::Unavailable),
        ] {
            let (got_answer, got_kind, _) = sorted(status, body);
            assert_eq!((got_answer, got_kind), (answer, kind), "{status} {body}");
        }
    }

    #[test]
    fn messages_carry_code_and_message_and_no_secret() {
        let (_, _, message) = sorted(
            400,
            "<Error><Code>Odd</Code>\n<Message>your key hunter2\nis odd</Message><AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>",
        );
        assert_eq!(
            message,
            "can't write k: store.test answered 400 Bad Request (Odd: your key [redacted] is odd)"
        );
    }

    #[test]
    fn secrets_are_struck_from_foreign_words_only() {
        let exchange = Exchange {
            role: Some(Role::Store),
            status: Some(StatusCode::FORBIDDEN),
            host: Some("127.0.0.1:9000".into()),
            ..Exchange::default()
        };
        let message = |body: &str, secrets: &[&str]| {
            let advisor = Advisor {
                redactor: Redactor::new(secrets.iter().map(|&secret| secret.to_owned())),
                ..Advisor::default()
            };
            let error = generic(body);
            let now = Timestamp::from_millis(0);
            sort(&error, "write k", &exchange, now, &advisor)
                .failure
                .message
        };
        let body = "<Code>InvalidAccessKeyId</Code><Message>no store has this</Message>";
        let text = message(body, &["store", "127", "write"]);
        assert!(
            text.starts_with("can't write k: 127.0.0.1:9000 answered 403 Forbidden"),
            "{text}"
        );
        assert!(
            text.contains("no [redacted] has this)")
                && text.contains("the store does not know this access key"),
            "{text}"
        );
    }

    #[test]
    fn a_simulated_store_speaks_for_itself() {
        let failure = StoreFailure {
            retry_after: Some(Duration::from_secs(3)),
            ..StoreFailure::new(FailureKind::Throttled, "slow down")
        };
        let error = Error::Generic {
            store: "simulated",
            source: Box::new(failure.clone()),
        };
        let trouble = sort(
            &error,
            "write k",
            &Exchange::default(),
            Timestamp::from_millis(0),
            &Advisor::default(),
        );
        assert_eq!(
            (trouble.answer, trouble.failure),
            (Answer::Refused, failure)
        );
    }
}
