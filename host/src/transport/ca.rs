use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use reqwest::Certificate;

/// The largest bundle of certificates that is read, in bytes. Systems' own bundles have about 250 KiB.
const MAX_CA_FILE: u64 = 4 << 20;

/// Why a file of CA certificates can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// It can't be read.
    #[error("can't read the CA certificates in {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It is too large.
    #[error(
        "the file of CA certificates {} is over {} MiB: name only the certificates that are needed",
        .path.display(),
        MAX_CA_FILE >> 20
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It holds no certificate.
    #[error("{} holds no certificate in PEM form (`-----BEGIN CERTIFICATE-----`){advice}", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What to do, from what it holds instead.
        advice: &'static str,
    },
    /// A certificate in it is damaged.
    #[error("{} holds something that is not a valid certificate", .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The text of a PEM file of CA certificates, at least one, all of them valid.
///
/// # Errors
///
/// When it can't be used; see [`CaError`].
pub(crate) fn read_ca_file(path: &Path) -> Result<Vec<u8>, CaError> {
    let path = path.to_owned();
    let mut pem = Vec::new();
    let read = std::fs::File::open(&path)
        .and_then(|file| file.take(MAX_CA_FILE + 1).read_to_end(&mut pem));
    match read {
        Err(source) => return Err(CaError::Read { path, source }),
        Ok(size) if size as u64 > MAX_CA_FILE => return Err(CaError::TooLarge { path }),
        Ok(_) => {}
    }
    let certificates = match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if certificates.is_empty() => {
            let advice = advice(&pem);
            return Err(CaError::Empty { path, advice });
        }
        Ok(certificates) => certificates,
        Err(error) => {
            return Err(CaError::Invalid {
                path,
                source: error.into(),
            });
        }
    };
    // Only a client looks into the certificates.
    let client = reqwest::Client::builder().tls_certs_only(certificates);
    match client.build() {
        Ok(_) => Ok(pem),
        Err(error) => Err(CaError::Invalid {
            path,
            source: error.into(),
        }),
    }
}

/// What to do about a file without a certificate in PEM form.
fn advice(content: &[u8]) -> &'static str {
    let content = content.trim_ascii();
    match content.starts_with(b"-----BEGIN ") {
        _ if content.is_empty() => ": it is empty",
        true => ", but PEM of another kind: name the file of the CA's certificate",
        // Perhaps a certificate in DER form.
        false => ": convert it with `openssl x509 -inform der -in FILE`",
    }
}
