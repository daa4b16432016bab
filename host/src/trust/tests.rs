use super::*;

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0 a component";

fn key() -> SecretKey {
    SecretKey::generate().unwrap()
}

fn signed(key: &SecretKey, component: &[u8]) -> String {
    let mut signatures = Signatures::default();
    signatures.sign(component, key).unwrap();
    signatures.to_string()
}

fn trusts(keys: &[&SecretKey], require_signature: bool) -> Trust {
    Trust {
        keys: keys.iter().map(|key| key.public()).collect(),
        require_signature,
    }
}

#[test]
fn a_signature_by_a_trusted_key_is_taken_and_no_other() {
    let (own, other) = (key(), key());
    let text = signed(&own, COMPONENT);
    let check = |trust: &Trust, component: &[u8], text: &str| trust.check(component, Some(text));
    for require in [true, false] {
        let trust = trusts(&[&own], require);
        assert_eq!(check(&trust, COMPONENT, &text), Ok(Some(own.public())));
        let swapped = check(&trust, b"another component", &text);
        assert_eq!(swapped, Err(TrustError::Wrong(own.public())));
        let unknown = check(&trusts(&[&other], require), COMPONENT, &text);
        assert_eq!(unknown, Err(TrustError::Unknown(vec![own.public()])));
        let of_another = signed(&own, b"another component");
        let wrong = check(&trust, COMPONENT, &of_another);
        assert_eq!(wrong, Err(TrustError::Wrong(own.public())));
        // Every cut, and whatever is no signature, is refused and never taken for none.
        for end in 0..text.len() - 1 {
            let cut = check(&trust, COMPONENT, &text[..end]);
            assert!(
                matches!(cut, Err(TrustError::Unreadable(_))),
                "{end}: {cut:?}"
            );
        }
        for text in [
            &text.replace("ed25519", "rsa"),
            "\n",
            &format!("{text} "),
            &text.replace(' ', "  "),
        ] {
            let odd = check(&trust, COMPONENT, text);
            assert!(
                matches!(odd, Err(TrustError::Unreadable(_))),
                "{text}: {odd:?}"
            );
        }
    }
}

#[test]
fn a_claim_to_be_by_a_trusted_key_is_checked() {
    let (own, forger) = (key(), key());
    let text = signed(&forger, COMPONENT);
    let forged = text.replace(&forger.public().to_string(), &own.public().to_string());
    let refused = trusts(&[&own], false).check(COMPONENT, Some(&forged));
    assert_eq!(refused, Err(TrustError::Wrong(own.public())));
    // Beside a right one as well.
    let both = format!("{}{forged}", signed(&own, COMPONENT));
    let refused = trusts(&[&own], false).check(COMPONENT, Some(&both));
    assert_eq!(refused, Err(TrustError::Wrong(own.public())));
}

#[test]
fn no_signature_is_refused_where_one_is_required() {
    let own = key();
    assert_eq!(
        trusts(&[&own], true).check(COMPONENT, None),
        Err(TrustError::Missing)
    );
    assert_eq!(trusts(&[&own], false).check(COMPONENT, None), Ok(None));
    assert_eq!(Trust::default().check(COMPONENT, None), Ok(None));
    assert_eq!(
        trusts(&[], true).check(COMPONENT, None),
        Err(TrustError::NoKeys)
    );
}

#[test]
fn keys_are_changed_by_signing_with_both() {
    let (old, new) = (key(), key());
    let mut signatures: Signatures = signed(&old, COMPONENT).parse().unwrap();
    signatures.sign(COMPONENT, &new).unwrap();
    let text = signatures.to_string();
    for key in [&old, &new] {
        let voucher = trusts(&[key], true).check(COMPONENT, Some(&text));
        assert_eq!(voucher, Ok(Some(key.public())));
    }
    // A component that changed has nothing left of what others signed.
    signatures.sign(b"changed", &new).unwrap();
    assert_eq!(signatures.keys().collect::<Vec<_>>(), [&new.public()]);
}

#[test]
fn keys_are_written_once_for_their_owner_alone_and_read_back() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let name = dir.path().join("release");
    let own = key();
    let (secret, public) = own.write(&name).unwrap();
    let mode = std::fs::metadata(&secret).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(SecretKey::read(&secret).unwrap().public(), own.public());
    assert_eq!(PublicKey::read(&public).unwrap(), own.public());
    assert_eq!(
        own.public().to_string().parse::<PublicKey>().unwrap(),
        own.public()
    );
    let before = std::fs::read(&secret).unwrap();
    assert!(matches!(key().write(&name), Err(KeyError::Exists(_))));
    std::fs::remove_file(&public).unwrap();
    assert!(matches!(key().write(&name), Err(KeyError::Exists(_))));
    assert_eq!(std::fs::read(&secret).unwrap(), before);
    assert!(!public.exists(), "nothing is left half-made");
}

#[test]
fn what_is_no_key_is_refused_with_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (secret, public) = key().write(&dir.path().join("own")).unwrap();
    let said = |read: Result<PublicKey, KeyError>| read.unwrap_err().to_string();
    assert!(said(PublicKey::read(&secret)).contains("private one"));
    let signing = SecretKey::read(&public).unwrap_err().to_string();
    assert!(signing.contains("public one"), "{signing}");
    let odd = dir.path().join("odd.pem");
    for (text, why) in [
        ("ed25519", "not a PEM"),
        (
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            "damaged",
        ),
        // P-256.
        (
            "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEXFnAOVATN6D6ow9zqGDsFZcZQyNp\nHR4Fu2HzTLpHA7Wp9UBFwrTz8GhgsPjtHtWGEZQHVhFwvF0xTB9xk2pnUA==\n-----END PUBLIC KEY-----\n",
            "another kind",
        ),
    ] {
        std::fs::write(&odd, text).unwrap();
        let said = said(PublicKey::read(&odd));
        assert!(said.contains(why) && said.contains("odd.pem"), "{said}");
    }
    for text in [
        "rsa:AAAA",
        "ed25519:AAAA",
        "ed25519:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ] {
        let said = text.parse::<PublicKey>().unwrap_err().to_string();
        assert!(
            said.contains(text) && said.contains("not a valid public key"),
            "{said}"
        );
    }
}
