use std::fmt;
use std::path::PathBuf;

use super::key::PublicKey;

/// Why a component is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// No signature, where one is required.
    #[error(
        "it has no signature, and `trust.require_signature` wants one: sign it with `tidegate policy sign FILE --key \
         KEY.pem`, or get it from who did"
    )]
    Missing,
    /// A signature is required, and there is no key that it could be by.
    #[error(
        "`trust.require_signature` wants a signature, and `trust.keys` names no key that it could be by"
    )]
    NoKeys,
    /// All signatures are by others.
    #[error(
        "it is signed by {}, which `trust.keys` does not name: add the key if you trust whose it is, or have it signed \
         by one of yours",
        Listed(.0)
    )]
    Unknown(Vec<PublicKey>),
    /// A signature by a trusted key is not of these bytes.
    #[error(
        "the signature by {0} is not of this component: the component was exchanged or changed after it was signed, or the \
         signature belongs to another one; get both from who signed it, or sign it anew"
    )]
    Wrong(PublicKey),
    /// The signature can't be read.
    #[error(
        "its signature can't be read: {0}; sign it anew with `tidegate policy sign FILE --key KEY.pem`"
    )]
    Unreadable(String),
}

/// Why a key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file can't be read.
    #[error("can't read the key {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file can't be written.
    #[error("can't write the key {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A key is there already.
    #[error("{} is there already, and keys are never overwritten: choose another name", .0.display())]
    Exists(PathBuf),
    /// No key, or another kind of key.
    #[error("{what} is not a valid {wanted}: {why}")]
    NoKey {
        /// The file or the text.
        what: String,
        /// What was wanted.
        wanted: &'static str,
        /// Why it is not valid.
        why: &'static str,
    },
    /// The machine gives no random numbers.
    #[error("this machine gives no random numbers")]
    NoRandomness,
}

struct Listed<'k>(&'k [PublicKey]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::listed(self.0, f)
    }
}
