//! Secret files that change while the store is in use.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::BoxFuture;
use tidegate::contract::FailureKind;
use tidegate::storage::{Put, Store, StoreSettings};
use tidegate::time::{Clock, SystemClock, Timestamp};
use tidegate_tests::s3::Endpoint;

use super::{done, key};

/// Longer than the interval at which secret files are looked at.
const LONG: Duration = Duration::from_secs(6);
/// Longer than that interval after the store rejected the credentials.
const SHORT: Duration = Duration::from_secs(2);

/// The system's clock, with a monotonic time that is moved by hand.
#[derive(Debug)]
struct HandClock {
    system: SystemClock,
    monotonic: Mutex<Duration>,
}

impl HandClock {
    fn advance(&self, length: Duration) {
        *self.monotonic.lock().unwrap() += length;
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        self.system.now()
    }

    fn monotonic(&self) -> Duration {
        *self.monotonic.lock().unwrap()
    }

    fn sleep(&self, length: Duration) -> BoxFuture<'static, ()> {
        self.system.sleep(length)
    }
}

/// A store whose secret is in a file.
struct Case {
    endpoint: Endpoint,
    clock: Arc<HandClock>,
    store: Store,
    dir: tempfile::TempDir,
    keys: u32,
}

impl Case {
    async fn new() -> Result<Self> {
        let endpoint = Endpoint::start().await?;
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("secret");
        endpoint.change_secret("first");
        fs::write(&path, "first\n")?;
        let mut settings: StoreSettings = endpoint.settings();
        settings.options.remove("secret_access_key");
        settings
            .option_files
            .insert("secret_access_key".to_owned(), path);
        let clock = Arc::new(HandClock {
            system: SystemClock::new(),
            monotonic: Mutex::default(),
        });
        let store = Store::open(&settings, Arc::clone(&clock) as Arc<dyn Clock>)?;
        Ok(Self {
            endpoint,
            clock,
            store,
            dir,
            keys: 0,
        })
    }

    fn secret(&self) -> std::path::PathBuf {
        self.dir.path().join("secret")
    }

    /// Writes a new object.
    async fn put(&mut self) -> Result<Put> {
        self.keys += 1;
        let key = key(&format!("k{}", self.keys))?;
        Ok(self.store.create(&key, "x".into()).await)
    }

    async fn works(&mut self) -> Result<()> {
        done(self.put().await?)
    }

    async fn is_rejected(&mut self) -> Result<()> {
        let put = self.put().await?;
        ensure!(
            matches!(&put, Put::Refused(failure) if failure.kind == FailureKind::PermissionDenied),
            "{put:?}"
        );
        Ok(())
    }
}

/// Replaces the file as mounted secrets are: a link moves to another file.
fn swap(path: &Path, value: &str) -> Result<()> {
    let target = path.with_file_name(format!("{value}.data"));
    fs::write(&target, value)?;
    let link = path.with_extension("new");
    std::os::unix::fs::symlink(target, &link)?;
    Ok(fs::rename(link, path)?)
}

#[tokio::test]
async fn a_secret_file_that_changes_is_read_again() -> Result<()> {
    let mut case = Case::new().await?;
    case.works().await?;
    fs::write(case.secret(), "second")?;
    case.endpoint.change_secret("second");
    case.clock.advance(LONG);
    case.works().await?;
    swap(&case.secret(), "third")?;
    case.endpoint.change_secret("third");
    case.clock.advance(LONG);
    case.works().await
}

#[tokio::test]
async fn credentials_that_the_store_rejects_are_read_again_sooner() -> Result<()> {
    let mut case = Case::new().await?;
    case.works().await?;
    fs::write(case.secret(), "second")?;
    case.endpoint.change_secret("second");
    case.is_rejected().await?;
    case.is_rejected().await?;
    case.clock.advance(SHORT);
    case.works().await
}

#[tokio::test]
async fn a_secret_file_that_can_not_be_used_leaves_the_former_secret() -> Result<()> {
    let mut case = Case::new().await?;
    for content in ["second\nthird\n", "", "sec\u{0}ond"] {
        fs::write(case.secret(), content)?;
        case.clock.advance(LONG);
        case.works().await?;
    }
    fs::remove_file(case.secret())?;
    case.clock.advance(LONG);
    case.works().await?;
    fs::write(case.secret(), "second\n")?;
    case.endpoint.change_secret("second");
    case.clock.advance(LONG);
    case.works().await
}

#[tokio::test]
async fn a_file_that_names_another_store_changes_nothing() -> Result<()> {
    let mut case = Case::new().await?;
    let address = case.dir.path().join("endpoint");
    fs::write(&address, case.endpoint.url())?;
    let mut settings = case.endpoint.settings();
    settings.options.remove("endpoint");
    settings
        .options
        .insert("secret_access_key".to_owned(), "first".to_owned());
    settings
        .option_files
        .insert("endpoint".to_owned(), address.clone());
    case.store = Store::open(&settings, Arc::clone(&case.clock) as Arc<dyn Clock>)?;
    case.works().await?;
    fs::write(&address, "http://127.0.0.1:9")?;
    case.clock.advance(LONG);
    case.works().await
}
