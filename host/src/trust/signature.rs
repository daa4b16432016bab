//! The text of signatures: a line each, of a key and its signature in Base64.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signature;

use super::error::TrustError;
use super::key::{PublicKey, SecretKey};

/// The most signatures of one component.
pub const MAX_SIGNATURES: usize = 16;
/// The largest file that is read as signatures, in bytes: more than that many take.
pub const MAX_SIGNATURE_FILE: u64 = 4 << 10;

/// Signatures of one component, each by another key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signatures(Vec<(PublicKey, Signature)>);

impl Signatures {
    /// Each with the key that it says it is by.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(PublicKey, Signature)> {
        self.0.iter()
    }

    /// The keys that they say they are by.
    pub fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.0.iter().map(|(key, _)| key)
    }

    /// Whether each is of this component, whoever made it.
    ///
    /// # Errors
    ///
    /// The first that is not.
    pub fn check(&self, component: &[u8]) -> Result<(), TrustError> {
        let wrong = self
            .0
            .iter()
            .find(|(key, signature)| !key.vouches(component, signature));
        match wrong {
            Some((key, _)) => Err(TrustError::Wrong(*key)),
            None => Ok(()),
        }
    }

    /// Adds the key's signature of the component. Those by others stay, as long as they are of the same component.
    ///
    /// # Errors
    ///
    /// When there are [`MAX_SIGNATURES`] already.
    pub fn sign(&mut self, component: &[u8], key: &SecretKey) -> Result<(), TrustError> {
        let own = key.public();
        self.0
            .retain(|(other, signature)| *other != own && other.vouches(component, signature));
        if self.0.len() == MAX_SIGNATURES {
            return Err(TrustError::Unreadable(format!(
                "{MAX_SIGNATURES} signatures are the most"
            )));
        }
        self.0.push((own, key.sign(component)));
        Ok(())
    }
}

impl fmt::Display for Signatures {
    /// A line each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(key, signature)| {
            writeln!(f, "{key} {}", STANDARD.encode(signature.to_bytes()))
        })
    }
}

impl FromStr for Signatures {
    type Err = TrustError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut signatures = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let wrong = |why: &str| TrustError::Unreadable(format!("line {}: {why}", at + 1));
            if signatures.len() == MAX_SIGNATURES {
                return Err(wrong("16 signatures are the most"));
            }
            let mut words = line.split(' ');
            let (Some(key), Some(signature), None) = (words.next(), words.next(), words.next())
            else {
                return Err(wrong(
                    "a signature is `ed25519:KEY SIGNATURE`, with one space and nothing else",
                ));
            };
            let key: PublicKey = key.parse().map_err(|error| wrong(&format!("{error}")))?;
            let signature = STANDARD
                .decode(signature)
                .ok()
                .and_then(|bytes| Signature::from_slice(&bytes).ok())
                .ok_or_else(|| {
                    wrong("the signature is no 64 bytes in Base64; it may be cut off")
                })?;
            signatures.push((key, signature));
        }
        match signatures.is_empty() {
            true => Err(TrustError::Unreadable("it is empty".to_owned())),
            false => Ok(Self(signatures)),
        }
    }
}
