//! What happens, and when.

use std::time::Duration;

use object_store::path::Path as Key;

use super::{ONLY_NODE, Reader, stream_of};
use crate::config::{Length, Problem};
use crate::sandbox::scenario::file::{self, Action};
use crate::sandbox::scenario::model::{Deed, Step};
use crate::time::in_full;

impl Reader<'_> {
    pub(super) fn steps(&self, until: Duration) -> Result<Vec<Step>, Problem> {
        let mut last = Duration::ZERO;
        let mut steps = Vec::new();
        for (at, written) in self.file.timeline.iter().enumerate() {
            let step = self.step(at, written)?;
            let number = at.to_string();
            let problem =
                |message: String| Err(self.source.problem(&["timeline", &number, "at"], message));
            if step.at > until {
                let until = in_full(until);
                return problem(format!("happens after the end (`until` is {until})"));
            }
            if step.at < last {
                let last = in_full(last);
                return problem(format!("happens before the step above it, at {last}"));
            }
            last = step.at;
            steps.push(step);
        }
        Ok(steps)
    }

    /// The steps with what the nodes do by themselves: agents start behind what is there from the beginning, and before
    /// whatever else is done at the same time.
    pub(super) fn with_starts(&self, written: Vec<Step>, until: Duration) -> Vec<Step> {
        let mut ranked: Vec<(u8, Step)> = Vec::new();
        for node in &self.nodes {
            let mut add = |rank: u8, at: Duration, deed: Deed| {
                let node = node.name.clone();
                ranked.push((rank, Step { at, node, deed }));
            };
            let behind = |at: Duration| if at.is_zero() { 2 } else { 0 };
            if let Some(identified) = node.identified {
                add(0, Duration::ZERO, Deed::Identity(false));
                add(behind(identified), identified, Deed::Identity(true));
            }
            add(behind(node.starts), node.starts, Deed::Start);
        }
        ranked.extend(written.into_iter().map(|step| (1, step)));
        ranked.retain(|(_, step)| step.at <= until);
        ranked.sort_by_key(|(rank, step)| (step.at, *rank));
        ranked.into_iter().map(|(_, step)| step).collect()
    }

    fn step(&self, at: usize, written: &file::Step) -> Result<Step, Problem> {
        let number = at.to_string();
        let here = ["timeline", number.as_str()];
        let problem = |key: &str, message: &str| {
            self.source
                .problem(&["timeline", number.as_str(), key], message)
        };
        self.only_known_keys(&number, written)?;
        let node = match &written.node {
            Some(node) => node.clone(),
            None => self
                .nodes
                .first()
                .map_or_else(|| ONLY_NODE.to_owned(), |node| node.name.clone()),
        };
        let lives_here = self.nodes.iter().any(|known| known.name == node);
        if !lives_here && !matches!(written.action, Action::Publish) {
            return Err(problem("node", &self.unknown_node(&node)));
        }
        let stream = || match &written.stream {
            Some(text) => Ok(stream_of(text)),
            None => Err(problem("do", "say which stream with `stream`")),
        };
        let key = || match written.key.as_deref().map(Key::parse) {
            Some(Ok(key)) => Ok(key),
            Some(Err(error)) => Err(problem("key", &format!("is no key: {error}"))),
            None => Err(problem("do", "say which object with `key`")),
        };
        let content = || {
            self.content(
                &here,
                written.fields.as_ref(),
                written.text.as_ref(),
                written.file.as_ref(),
            )
        };
        let cause = || {
            let cause = written.cause.clone();
            cause.unwrap_or_else(|| "permission denied".to_owned())
        };
        let deed = match written.action {
            Action::Stage => Deed::Stage(stream()?, content()?),
            Action::Tear => Deed::Tear(stream()?, content()?),
            Action::Unreadable => Deed::Unreadable(stream()?, cause()),
            Action::Unstage => Deed::Unstage(stream()?),
            Action::Data => match written.files {
                Some(files) => Deed::Data(stream()?, files),
                None => return Err(problem("do", "say how many wait with `files`")),
            },
            Action::Remove => Deed::Remove(stream()?),
            Action::CreateStream => Deed::CreateStream(stream()?),
            Action::DeleteStream => Deed::DeleteStream(stream()?),
            Action::Publish if written.base == Some(true) => {
                Deed::PublishBase(stream()?, content()?)
            }
            Action::Publish => Deed::Publish(stream()?, content()?),
            Action::Put => Deed::Put(key()?, content()?),
            Action::Delete => Deed::Delete(key()?),
            Action::Start => Deed::Start,
            Action::Stop => Deed::Stop,
            Action::Crash => Deed::Crash,
            Action::Skew => match &written.ahead {
                Some(text) => {
                    Deed::Skew(ahead(text).map_err(|message| problem("ahead", &message))?)
                }
                None => return Err(problem("do", "say how much with `ahead`")),
            },
            Action::FailStaging => Deed::Staging(Some(cause())),
            Action::HealStaging => Deed::Staging(None),
        };
        Ok(Step {
            at: written.at.into(),
            node,
            deed,
        })
    }

    /// Refuses keys that say nothing about what is done.
    fn only_known_keys(&self, number: &str, written: &file::Step) -> Result<(), Problem> {
        use Action::{
            CreateStream, Data, Delete, DeleteStream, FailStaging, Publish, Put, Remove, Skew,
            Stage, Tear, Unreadable, Unstage,
        };
        let of_streams = [
            Stage,
            Tear,
            Unreadable,
            Unstage,
            Data,
            Remove,
            CreateStream,
            DeleteStream,
            Publish,
        ];
        let with_content = [Stage, Tear, Publish, Put];
        let keys: [(&str, bool, &[Action]); 9] = [
            ("stream", written.stream.is_some(), &of_streams),
            ("fields", written.fields.is_some(), &with_content),
            ("text", written.text.is_some(), &with_content),
            ("file", written.file.is_some(), &with_content),
            ("files", written.files.is_some(), &[Data]),
            ("key", written.key.is_some(), &[Put, Delete]),
            ("base", written.base.is_some(), &[Publish]),
            ("ahead", written.ahead.is_some(), &[Skew]),
            ("cause", written.cause.is_some(), &[Unreadable, FailStaging]),
        ];
        for (key, is_written, actions) in keys {
            if is_written && !actions.contains(&written.action) {
                let message = format!("`{key}` means nothing with this `do`");
                return Err(self.source.problem(&["timeline", number, key], message));
            }
        }
        Ok(())
    }
}

/// A length of time with a sign, in milliseconds.
fn ahead(text: &str) -> Result<i64, String> {
    let (sign, length) = match text.strip_prefix('-') {
        Some(length) => (-1, length),
        None => (1, text),
    };
    let length: Length = length.trim().parse()?;
    let millis = i64::try_from(Duration::from(length).as_millis());
    millis
        .map(|millis| sign * millis)
        .map_err(|_| "is too far away".to_owned())
}
