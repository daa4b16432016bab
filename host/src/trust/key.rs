//! Keys, and the files that they stand in.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, KeypairBytes,
};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use rand::TryRngCore as _;
use rand::rngs::OsRng;

use super::error::KeyError;

use crate::files::open_regular;

/// What stands before a public key in a text.
const PREFIX: &str = "ed25519:";
/// The largest file that is read as a key, in bytes.
pub const MAX_KEY_FILE: u64 = 16 << 10;
/// Only its owner may read a secret key.
const SECRET: u32 = 0o600;
const PUBLIC: u32 = 0o644;

const PEM_BEGIN: &str = "-----BEGIN ";

/// A key that signatures are checked by. As a text it is `ed25519:` and its 32 bytes in Base64.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads a PEM file, as `openssl pkey -pubout` writes it.
    ///
    /// # Errors
    ///
    /// When it can't be read, or holds something else.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let text = read(path)?;
        let no_key = |why| KeyError::NoKey {
            what: path.display().to_string(),
            wanted: "public ed25519 key",
            why,
        };
        if text.contains("PRIVATE KEY") {
            return Err(no_key(
                "it is a private one, which only its owner should have; name the public one",
            ));
        }
        if !text.contains(PEM_BEGIN) {
            return Err(no_key("it is not a PEM file"));
        }
        let key = VerifyingKey::from_public_key_pem(text.trim()).ok();
        key.filter(is_strong)
            .map(|key| Self(key.to_bytes()))
            .ok_or_else(|| no_key("it is damaged, or of another kind"))
    }

    /// Whether the signature is this key's, of these bytes.
    pub(super) fn vouches(&self, component: &[u8], signature: &Signature) -> bool {
        let key = VerifyingKey::from_bytes(&self.0);
        key.is_ok_and(|key| key.verify_strict(component, signature).is_ok())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let no_key = |why| KeyError::NoKey {
            what: format!("`{text}`"),
            wanted: "public key",
            why,
        };
        let encoded = text
            .strip_prefix(PREFIX)
            .ok_or_else(|| no_key("it does not begin with `ed25519:`, the only kind there is"))?;
        let bytes = STANDARD
            .decode(encoded)
            .ok()
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            .ok_or_else(|| no_key("behind `ed25519:` stand no 32 bytes in Base64"))?;
        let key = VerifyingKey::from_bytes(&bytes).ok();
        key.filter(is_strong)
            .map(|key| Self(key.to_bytes()))
            .ok_or_else(|| no_key("no key has these bytes"))
    }
}

/// A key that signs.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// A new one.
    ///
    /// # Errors
    ///
    /// When the machine gives no random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        OsRng
            .try_fill_bytes(&mut bytes)
            .map_err(|_| KeyError::NoRandomness)?;
        Ok(Self(SigningKey::from_bytes(&bytes)))
    }

    /// Reads a PEM file, as `openssl genpkey -algorithm ed25519` writes it.
    ///
    /// # Errors
    ///
    /// When it can't be read, or holds something else.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let text = read(path)?;
        let no_key = |why| KeyError::NoKey {
            what: path.display().to_string(),
            wanted: "private ed25519 key",
            why,
        };
        if text.contains("ENCRYPTED PRIVATE KEY") {
            return Err(no_key(
                "it is encrypted; decrypt it with `openssl pkey`, to a place that only you can read",
            ));
        }
        if text.contains("PUBLIC KEY") {
            return Err(no_key("it is a public one; name the private one"));
        }
        if !text.contains(PEM_BEGIN) {
            return Err(no_key("it is not a PEM file"));
        }
        SigningKey::from_pkcs8_pem(text.trim())
            .map(Self)
            .map_err(|_| no_key("it is damaged, or of another kind"))
    }

    /// Writes both halves: `NAME.pem`, which only its owner can read, and `NAME.pub.pem`. Gives their paths.
    ///
    /// # Errors
    ///
    /// When one of them is there already, or can't be written; then none is left.
    pub fn write(&self, name: &Path) -> Result<(PathBuf, PathBuf), KeyError> {
        let with = |suffix: &str| {
            let mut path = name.as_os_str().to_owned();
            path.push(suffix);
            PathBuf::from(path)
        };
        let (secret, public) = (with(".pem"), with(".pub.pem"));
        if public.exists() {
            return Err(KeyError::Exists(public));
        }
        // Without the public half, which some versions of openssl trip over.
        let keypair = KeypairBytes {
            secret_key: self.0.to_bytes(),
            public_key: None,
        };
        let unwritable = |path: &Path| KeyError::Write {
            path: path.to_owned(),
            source: io::Error::other("it can't be encoded"),
        };
        let text = keypair
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|_| unwritable(&secret))?;
        let public_text = self
            .0
            .verifying_key()
            .to_public_key_pem(LineEnding::LF)
            .map_err(|_| unwritable(&public))?;
        create(&secret, SECRET, &text)?;
        if let Err(error) = create(&public, PUBLIC, &public_text) {
            let _ = std::fs::remove_file(&secret);
            return Err(error);
        }
        Ok((secret, public))
    }

    /// The half that others check by.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    pub(super) fn sign(&self, component: &[u8]) -> Signature {
        self.0.sign(component)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SecretKey").field(&self.public()).finish()
    }
}

/// With a weak key, one signature would do for many components.
fn is_strong(key: &VerifyingKey) -> bool {
    !key.is_weak()
}

fn read(path: &Path) -> Result<String, KeyError> {
    let read = || {
        let mut text = String::new();
        open_regular(path)?
            .take(MAX_KEY_FILE)
            .read_to_string(&mut text)?;
        Ok(text)
    };
    read().map_err(|source| KeyError::Read {
        path: path.to_owned(),
        source,
    })
}

fn create(path: &Path, mode: u32, text: &str) -> Result<(), KeyError> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path);
    let written = file.and_then(|mut file| {
        let written = file
            .write_all(text.as_bytes())
            .and_then(|()| file.sync_all());
        if written.is_err() {
            let _ = std::fs::remove_file(path);
        }
        written
    });
    written.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyError::Exists(path.to_owned()),
        _ => KeyError::Write {
            path: path.to_owned(),
            source,
        },
    })
}
