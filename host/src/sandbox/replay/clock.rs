use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, ready};

use crate::time::{Clock, Timestamp};

/// A clock on which no time passes, and every alarm rings at once: a decision waits only for what was never answered, and
/// is then as late as it was.
#[derive(Debug)]
pub(super) struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        ready(()).boxed()
    }
}
