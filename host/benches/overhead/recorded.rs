//! A decision that is recorded, beside the same one that is not.

use std::sync::Arc;
use std::time::Duration;

use tidegate::contract::Role;
use tidegate::policy::{
    Chain, ComponentSource, Decision, GrantValues, PolicySettings, Question, Recorder, Runtime,
    RuntimeSettings,
};
use tidegate::sandbox::record::{Bounds, Recording, read};
use tidegate::time::SystemClock;

use crate::decision::{Nowhere, facts};
use crate::{each, median, print};

/// Decisions of a round: so many that the writer is at work for most of it.
const COUNT: u32 = 40_000;
const ROUNDS: usize = 9;

/// Takes decisions and keeps none: what is left is what the deciding thread does.
#[derive(Debug)]
struct Nobody;

impl Recorder for Nobody {
    fn record(&self, _: Box<Decision>) {}
}

pub(crate) async fn run() {
    let runtime = Runtime::new(RuntimeSettings::default()).unwrap();
    let presence = ComponentSource::Builtin("presence".to_owned());
    let settings = PolicySettings::new("presence", presence);
    let policy = runtime.load(&settings).await.unwrap();
    let chain = Chain::new(Role::Existence, vec![policy]).unwrap();
    let (mut bare, mut handed_on, mut recorded) = (Vec::new(), Vec::new(), Vec::new());
    let mut dropped = 0;
    for _ in 0..ROUNDS {
        bare.push(decide(&chain, None).await);
        handed_on.push(decide(&chain, Some(&Nobody)).await);
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock::new());
        let recording = Recording::start(dir.path(), Bounds::default(), clock).unwrap();
        recorded.push(decide(&chain, Some(&recording)).await);
        recording.finish();
        for file in read::sources(dir.path()).unwrap() {
            let trailer = read::read(&file, &Arc::default(), |_| true).unwrap();
            dropped += trailer.unwrap().dropped;
        }
    }
    let bare = median(bare);
    let what = "a decision that is handed to a recorder";
    print(what, bare, median(handed_on), "1.1");
    let what = "a recorded decision, fresh instance, beside one that is not";
    print(what, bare, median(recorded), "1.1");
    println!(
        "    {dropped} of {} decisions found no room in the queue",
        u64::from(COUNT) * ROUNDS as u64
    );
}

async fn decide(chain: &Chain, recorder: Option<&dyn Recorder>) -> Duration {
    let facts = &facts();
    each(COUNT, move || async move {
        let values = GrantValues::new("app", facts);
        chain
            .ask(
                Question::Existence,
                facts,
                &|_| Arc::new(Nowhere),
                &values,
                recorder,
            )
            .await;
    })
    .await
}
