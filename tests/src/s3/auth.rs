use std::sync::{Arc, Mutex, PoisonError};

use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Result, s3_error};

/// The endpoint's one user, whose secret may change.
#[derive(Clone, Debug)]
pub(super) struct Auth {
    access_key: &'static str,
    secret: Arc<Mutex<String>>,
}

impl Auth {
    pub(super) fn new(access_key: &'static str, secret: &str) -> Self {
        Self {
            access_key,
            secret: Arc::new(Mutex::new(secret.to_owned())),
        }
    }

    pub(super) fn change_secret(&self, secret: &str) {
        *self.secret.lock().unwrap_or_else(PoisonError::into_inner) = secret.to_owned();
    }
}

#[async_trait::async_trait]
impl S3Auth for Auth {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key != self.access_key {
            return Err(s3_error!(NotSignedUp, "Your account is not signed up"));
        }
        let secret = self.secret.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(SecretKey::from(secret.clone()))
    }
}
