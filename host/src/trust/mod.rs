//! Who vouches for a component: ed25519 signatures over its bytes, and the keys that an operator trusts.
//!
//! Keys are PEM files as `openssl` makes them (PKCS#8, SPKI). `host/docs/signing.md` has the format of signatures.

mod error;
mod key;
mod signature;

use std::fmt;

pub use error::{KeyError, TrustError};
pub use key::{MAX_KEY_FILE, PublicKey, SecretKey};
pub use signature::{MAX_SIGNATURE_FILE, MAX_SIGNATURES, Signatures};

/// Whose components may run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// The keys that are trusted. Without one, nobody looks at signatures.
    pub keys: Vec<PublicKey>,
    /// Whether a component without a signature is refused.
    pub require_signature: bool,
}

/// The key that vouched for a component; `None` where nobody had to.
pub type Voucher = Option<PublicKey>;

impl Trust {
    /// Whether the component may run. `signatures` is the text of what was found beside it.
    ///
    /// # Errors
    ///
    /// When it has no signature and must have one, when none is by a trusted key, or when one of those is wrong.
    pub fn check(&self, component: &[u8], signatures: Option<&str>) -> Result<Voucher, TrustError> {
        if self.keys.is_empty() {
            return match self.require_signature {
                true => Err(TrustError::NoKeys),
                false => Ok(None),
            };
        }
        let Some(text) = signatures else {
            return match self.require_signature {
                true => Err(TrustError::Missing),
                false => Ok(None),
            };
        };
        let signatures: Signatures = text.parse()?;
        let mut voucher = None;
        for (key, signature) in signatures.iter() {
            // Others may vouch as well; whether they do so rightly is not ours to judge.
            if !self.keys.contains(key) {
                continue;
            }
            if !key.vouches(component, signature) {
                return Err(TrustError::Wrong(*key));
            }
            voucher = Some(*key);
        }
        match voucher {
            Some(key) => Ok(Some(key)),
            None => Err(TrustError::Unknown(
                signatures.iter().map(|(key, _)| *key).collect(),
            )),
        }
    }
}

/// Keys in a row, for messages.
fn listed(keys: &[PublicKey], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (at, key) in keys.iter().enumerate() {
        if at > 0 {
            f.write_str(", ")?;
        }
        fmt::Display::fmt(key, f)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
