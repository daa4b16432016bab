//! Credentials: from the docker configuration, in the form that the registry asks for.
//!
//! A registry answers the first request with a challenge. `Basic` takes name and password; `Bearer` names a realm, where
//! they are exchanged for a token that is good for one repository and some minutes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use docker_credential::DockerCredential;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use http_auth::ChallengeParser;
use serde::Deserialize;
use url::Url;
use url::form_urlencoded::Serializer;

use super::answers::{read, refused};
use super::client::{Service, Session};
use super::docker::credential;
use super::error::RegistryError;
use super::settings::authority;

/// The largest answer with a token that is read, in bytes.
const MAX_TOKEN: u64 = 64 << 10;

/// A registry's challenge that can be answered.
enum Challenge {
    Basic,
    Bearer { realm: Url, service: Option<String> },
}

/// What answers a registry's challenges.
pub(super) struct Answer {
    /// The value of `Authorization`.
    pub(super) authorization: HeaderValue,
    /// Whether it was made from credentials: tokens are given to nobody in particular, too.
    pub(super) had_credentials: bool,
}

/// Answers the registry's challenges.
pub(super) async fn answer(
    session: &Session<'_>,
    challenges: &[String],
) -> Result<Answer, RegistryError> {
    let challenge = understood(session, challenges)?;
    let credential = credential(session.reference.host(), session.settings.timeout).await?;
    let had_credentials = credential.is_some();
    let authorization = match (challenge, credential) {
        (Challenge::Bearer { realm, service }, credential) => {
            bearer(session, realm, service, credential).await
        }
        (Challenge::Basic, Some(DockerCredential::UsernamePassword(name, password))) => {
            basic(&name, &password).ok_or_else(|| no_text(session))
        }
        (Challenge::Basic, Some(DockerCredential::IdentityToken(_))) => {
            Err(RegistryError::Credentials {
                host: session.host(),
                why: "it has an identity token, and this registry wants name and password"
                    .to_owned(),
            })
        }
        (Challenge::Basic, None) => Err(RegistryError::Unauthorized {
            host: session.host(),
            had: false,
        }),
    }?;
    Ok(Answer {
        authorization,
        had_credentials,
    })
}

fn understood(session: &Session<'_>, challenges: &[String]) -> Result<Challenge, RegistryError> {
    let odd = |found: &str| RegistryError::Odd {
        host: session.host(),
        what: "a request without credentials".to_owned(),
        found: found.to_owned(),
    };
    let mut basic = None;
    for challenge in challenges
        .iter()
        .flat_map(|text| ChallengeParser::new(text))
    {
        let Ok(challenge) = challenge else {
            continue;
        };
        if challenge.scheme.eq_ignore_ascii_case("basic") {
            basic = Some(Challenge::Basic);
        }
        if !challenge.scheme.eq_ignore_ascii_case("bearer") {
            continue;
        }
        let param = |name: &str| {
            let found = challenge.params.iter();
            let mut found = found.filter(|(key, _)| key.eq_ignore_ascii_case(name));
            found.next().map(|(_, value)| value.to_unescaped())
        };
        let realm = param("realm")
            .and_then(|realm| Url::parse(&realm).ok())
            .filter(|realm| matches!(realm.scheme(), "http" | "https") && realm.has_host())
            .ok_or_else(|| odd("a challenge whose realm is no address"))?;
        // Without TLS only where the registry itself is spoken to like that.
        let plain = realm.scheme() == "http";
        if plain && (session.base.scheme() == "https" || !session.settings.is_plain(&realm)) {
            return Err(RegistryError::Downgrade {
                from: session.host(),
                to: authority(&realm),
            });
        }
        let service = param("service");
        return Ok(Challenge::Bearer { realm, service });
    }
    basic.ok_or_else(|| odd("401 and neither a Basic nor a Bearer challenge"))
}

/// Exchanges credentials, or none, for a token.
async fn bearer(
    session: &Session<'_>,
    realm: Url,
    service: Option<String>,
    credential: Option<DockerCredential>,
) -> Result<HeaderValue, RegistryError> {
    let had = credential.is_some();
    let scope = format!(
        "repository:{}:{}",
        session.reference.name(),
        session.actions.name()
    );
    let mut fields = vec![("scope", scope)];
    fields.extend(service.map(|service| ("service", service)));
    let request = match credential {
        // OAuth 2.0, as Docker's token specification describes it.
        Some(DockerCredential::IdentityToken(token)) => {
            fields.push(("grant_type", "refresh_token".to_owned()));
            fields.push(("client_id", "tidegate".to_owned()));
            fields.push(("refresh_token", token));
            let form = Serializer::new(String::new()).extend_pairs(fields).finish();
            let kind = "application/x-www-form-urlencoded";
            let request = session.http.post(realm.clone());
            request.header(CONTENT_TYPE, kind).body(form)
        }
        credential => {
            let mut url = realm.clone();
            url.query_pairs_mut().extend_pairs(fields);
            let request = session.http.get(url);
            match credential {
                Some(DockerCredential::UsernamePassword(name, password)) => {
                    let basic = basic(&name, &password).ok_or_else(|| no_text(session))?;
                    request.header(AUTHORIZATION, basic)
                }
                _ => request,
            }
        }
    };
    let response = request
        .send()
        .await
        .map_err(|error| session.unreachable(Service::Token, &realm, error))?;
    let what = "a token".to_owned();
    match response.status() {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let host = session.host();
            return Err(RegistryError::Unauthorized { host, had });
        }
        _ => {
            let service = session.named(Service::Token, &realm);
            return Err(refused(session, response, service, &Method::GET, what).await);
        }
    }
    #[derive(Deserialize)]
    struct Token {
        token: Option<String>,
        access_token: Option<String>,
    }
    let answer = format!("the answer with a token from {}", authority(&realm));
    let body = read(response, &answer, MAX_TOKEN).await?;
    let token: Option<Token> = serde_json::from_slice(&body).ok();
    token
        .and_then(|answer| answer.token.or(answer.access_token))
        .and_then(|token| secret(format!("Bearer {token}")))
        .ok_or_else(|| RegistryError::Odd {
            host: authority(&realm),
            what,
            found: "no token".to_owned(),
        })
}

fn basic(name: &str, password: &str) -> Option<HeaderValue> {
    secret(format!(
        "Basic {}",
        STANDARD.encode(format!("{name}:{password}"))
    ))
}

/// A header's value that is never shown.
fn secret(text: String) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn no_text(session: &Session<'_>) -> RegistryError {
    RegistryError::Credentials {
        host: session.host(),
        why: "they can't be sent".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::client::Actions;
    use super::super::settings::RegistrySettings;
    use super::*;

    /// What a registry's challenges come to.
    fn understood_by(registry: &str, challenges: &[&str]) -> Result<Challenge, String> {
        let reference = format!("oci://{registry}/acme/x:1").parse().unwrap();
        let settings = RegistrySettings {
            plain_http: vec!["tokens.example.com".to_owned()],
            ..RegistrySettings::default()
        };
        let session = Session::open(&reference, &settings, Actions::Pull).unwrap();
        let challenges: Vec<_> = challenges.iter().map(|text| (*text).to_owned()).collect();
        understood(&session, &challenges).map_err(|error| error.to_string())
    }

    #[test]
    fn a_token_is_preferred_to_a_password() {
        let both = r#"Basic realm="x", Bearer realm="https://tokens.example.com/t",service="s""#;
        let challenge = understood_by("registry.example.com", &["Digest qop=1", both]);
        let Ok(Challenge::Bearer { realm, service }) = challenge else {
            panic!("no token is asked for");
        };
        assert_eq!(realm.as_str(), "https://tokens.example.com/t");
        assert_eq!(service.as_deref(), Some("s"));
        let basic = understood_by("registry.example.com", &[r#"BASIC realm="x""#]);
        assert!(matches!(basic, Ok(Challenge::Basic)));
    }

    #[test]
    fn no_password_that_was_asked_for_over_tls_goes_out_without() {
        for realm in ["http://tokens.example.com/", "http://127.0.0.1:1/"] {
            let bearer = format!("Bearer realm=\"{realm}\"");
            let refused = understood_by("registry.example.com", &[&bearer]).err();
            assert!(refused.is_some_and(|why| why.contains("without TLS")));
            // A registry without TLS may say so.
            assert!(understood_by("localhost:5000", &[&bearer]).is_ok());
        }
        let elsewhere = "Bearer realm=\"http://other.example.com/\"";
        assert!(understood_by("localhost:5000", &[elsewhere]).is_err());
    }
}
