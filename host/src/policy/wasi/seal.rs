use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

use super::super::cause::{CallFailure, Cause};
use crate::time::Timestamp;

/// Handles of WASI that an instance may hold at once: a runtime has a dozen.
const MAX_HANDLES: u32 = 1024;
/// The longest line of standard output, in bytes; what is longer is broken there.
const MAX_LINE: usize = 4 << 10;

/// What WASI is made of during one decision. Before it, while the instance starts and is configured, the time is 0 and
/// the entropy too: then a reused instance, which started in an earlier decision, is like a fresh one.
#[derive(Debug, Default)]
pub(in crate::policy) struct Seal {
    now: u64,
    entropy: u64,
    /// Made when the decision first asks for randomness.
    random: Option<Box<ChaCha8Rng>>,
    handles: u32,
    owed: u64,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// One of the two streams that a guest writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Output {
    /// Its lines are told as `info`.
    Stdout,
    /// Its lines are told as `warn`.
    Stderr,
}

impl Seal {
    /// Begins a decision.
    pub(in crate::policy) fn begin(&mut self, now: Timestamp, entropy: u64) {
        self.now = now.as_millis();
        self.entropy = entropy;
        self.random = None;
    }

    /// Ends a decision, and gives what it wrote without a line's end. Handles stay: they are the instance's.
    pub(in crate::policy) fn end(&mut self) -> [(Output, Vec<u8>); 2] {
        let ended = std::mem::take(self);
        self.handles = ended.handles;
        [
            (Output::Stdout, ended.stdout),
            (Output::Stderr, ended.stderr),
        ]
    }

    /// The time in milliseconds since 1970; it does not move.
    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// The next random bytes.
    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        let entropy = self.entropy;
        self.random
            .get_or_insert_with(|| Box::new(ChaCha8Rng::seed_from_u64(entropy)))
            .fill_bytes(bytes);
    }

    /// The next random word.
    pub(super) fn word(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Counts a handle.
    pub(super) fn open(&mut self) -> Result<(), CallFailure> {
        if self.handles >= MAX_HANDLES {
            let message =
                format!("the guest holds more than {MAX_HANDLES} handles of WASI at once");
            return Err(CallFailure::new(Cause::Trap, message));
        }
        self.handles += 1;
        Ok(())
    }

    /// Counts a handle that was dropped.
    pub(super) fn close(&mut self) {
        self.handles = self.handles.saturating_sub(1);
    }

    /// Adds to what the present call costs: a unit of fuel for each byte that it moves.
    pub(super) fn owe(&mut self, bytes: u64) {
        self.owed = self.owed.saturating_add(bytes);
    }

    pub(super) fn take_owed(&mut self) -> u64 {
        std::mem::take(&mut self.owed)
    }

    /// Takes bytes off the front for a stream until they complete a line, and gives it; `None` when none are left.
    pub(in crate::policy) fn next_line(
        &mut self,
        output: Output,
        bytes: &mut &[u8],
    ) -> Option<Vec<u8>> {
        let partial = match output {
            Output::Stdout => &mut self.stdout,
            Output::Stderr => &mut self.stderr,
        };
        let room = MAX_LINE.saturating_sub(partial.len());
        let within = bytes
            .split_at_checked(room)
            .map_or(*bytes, |(within, _)| within);
        let end = within.iter().position(|byte| *byte == b'\n');
        let (line, rest) = bytes.split_at_checked(end.unwrap_or(within.len()))?;
        partial.extend_from_slice(line);
        *bytes = match end {
            Some(_) => rest.get(1..).unwrap_or_default(),
            None => rest,
        };
        let is_complete = end.is_some() || partial.len() >= MAX_LINE;
        is_complete.then(|| std::mem::take(partial))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(seal: &mut Seal, output: Output, mut bytes: &[u8]) -> Vec<usize> {
        std::iter::from_fn(|| seal.next_line(output, &mut bytes))
            .map(|line| line.len())
            .collect()
    }

    #[test]
    fn lines_are_cut_at_their_ends_and_at_the_longest() {
        let mut seal = Seal::default();
        assert_eq!(lines(&mut seal, Output::Stdout, b"a").len(), 0);
        assert_eq!(lines(&mut seal, Output::Stdout, b"b\n\nc"), [2, 0]);
        assert_eq!(lines(&mut seal, Output::Stderr, b"d").len(), 0);
        let long = lines(&mut seal, Output::Stdout, &[b'x'; 2 * MAX_LINE]);
        assert_eq!(long, [MAX_LINE, MAX_LINE]);
        let [(_, out), (_, err)] = seal.end();
        assert_eq!((&*out, &*err), (&b"x"[..], &b"d"[..]));
    }

    #[test]
    fn the_same_entropy_gives_the_same_bytes_in_every_decision() {
        let mut seal = Seal::default();
        let draw = |seal: &mut Seal, entropy| {
            seal.begin(Timestamp::from_millis(1), entropy);
            let drawn = (seal.word(), seal.word());
            seal.end();
            drawn
        };
        let first = draw(&mut seal, 7);
        assert_ne!(first.0, first.1);
        assert_ne!(draw(&mut seal, 8), first);
        assert_eq!(draw(&mut seal, 7), first);
    }
}
