//! Working around what a store can't do.

use std::sync::atomic::{AtomicU8, Ordering};

use super::support::{Condition, ConditionalSupport};

/// How a conditional write is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// With its condition, which the store judges.
    Conditional,
    /// With its condition, after a GET that checks it.
    Checked,
    /// Without its condition, after a GET that checks it.
    CheckedUnconditional,
}

impl Sending {
    fn to(condition: Condition) -> Self {
        match condition {
            Condition::Honoured | Condition::LosesRaces => Self::Conditional,
            // The condition is still sent: it does no harm, and the store may learn to honour it.
            Condition::Ignored => Self::Checked,
            Condition::Rejected | Condition::NeverHolds => Self::CheckedUnconditional,
        }
    }
}

/// How requests are sent to a store that was probed; until then, as to one that does everything right.
#[derive(Debug, Default)]
pub(super) struct Adaptation(AtomicU8);

const CREATES: u8 = 0;
const UPDATES: u8 = 2;
const HEADS_BY_GET: u8 = 1 << 4;

impl Adaptation {
    pub(super) fn set(&self, found: ConditionalSupport) {
        let creates = (Sending::to(found.create) as u8) << CREATES;
        let updates = (Sending::to(found.update) as u8) << UPDATES;
        let heads = if found.head_differs { HEADS_BY_GET } else { 0 };
        self.0.store(creates | updates | heads, Ordering::Release);
    }

    pub(super) fn creates(&self) -> Sending {
        self.sending(CREATES)
    }

    pub(super) fn updates(&self) -> Sending {
        self.sending(UPDATES)
    }

    pub(super) fn heads_by_get(&self) -> bool {
        self.0.load(Ordering::Acquire) & HEADS_BY_GET != 0
    }

    fn sending(&self, of: u8) -> Sending {
        match (self.0.load(Ordering::Acquire) >> of) & 0b11 {
            0 => Sending::Conditional,
            1 => Sending::Checked,
            _ => Sending::CheckedUnconditional,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_is_worked_around_separately() {
        let adaptation = Adaptation::default();
        assert_eq!(adaptation.creates(), Sending::Conditional);
        for (condition, sending) in [
            (Condition::Honoured, Sending::Conditional),
            (Condition::LosesRaces, Sending::Conditional),
            (Condition::Ignored, Sending::Checked),
            (Condition::Rejected, Sending::CheckedUnconditional),
            (Condition::NeverHolds, Sending::CheckedUnconditional),
        ] {
            for head_differs in [false, true] {
                adaptation.set(ConditionalSupport {
                    create: condition,
                    update: Condition::Honoured,
                    head_differs,
                });
                assert_eq!(adaptation.creates(), sending);
                assert_eq!(adaptation.updates(), Sending::Conditional);
                assert_eq!(adaptation.heads_by_get(), head_differs);
                adaptation.set(ConditionalSupport {
                    create: Condition::Honoured,
                    update: condition,
                    head_differs,
                });
                assert_eq!(adaptation.creates(), Sending::Conditional);
                assert_eq!(adaptation.updates(), sending);
            }
        }
    }
}
