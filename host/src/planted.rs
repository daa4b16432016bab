//! Defects that tests plant, to see that the checks of a simulated world find them. A build for users has none: there
//! [`is`] is a constant.

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(test),
    allow(
        dead_code,
        reason = "only tests plant defects; the sites name them in every build"
    )
)]
#[allow(missing_docs, reason = "each site tells what its defect is")]
pub(crate) enum Defect {
    UploadsHalf,
    TrustsTornFile,
    LosesRaceAndOverwrites,
    SkipsMerge,
    WritesAgainBlindly,
    TakesExistsForDone,
    DropsRetry,
    ForgetsClamp,
    UnsettledForever,
    DoublesAttempts,
    ForgetsIntent,
    SkipsMarkerBeforeWrite,
    WritesThoughGone,
    SkipsMarkerAfterCreate,
    KeepsOldIncarnation,
    OpensFallbackGate,
    IgnoresFailedListing,
    CreatesByOverwriting,
    ForgetsCaptured,
    NeverLooksAgain,
    HealthNeverFails,
    NoRateLimit,
    OneStreamAtOnce,
    SameEntropy,
    KeepsFallback,
    ForgetsConfirmed,
    TrustsAnyVersion,
    IgnoresMissing,
    RefusesWhatCameBack,
    NeverRevives,
    AcceptsIgnoredConditions,
    ForgetsUnread,
    KeepsTimer,
    LosesPending,
    CountsNoAbsence,
    ComparesOnlyBeforeWrites,
    ForgetsNodesConflict,
}

#[cfg(test)]
pub(crate) use switch::{is, with};

/// Whether this defect is planted on this thread.
#[cfg(not(test))]
pub(crate) const fn is(_: Defect) -> bool {
    false
}

#[cfg(test)]
mod switch {
    use std::cell::Cell;

    use super::Defect;

    thread_local! {
        // Worlds run side by side, each on one thread.
        static PLANTED: Cell<Option<Defect>> = const { Cell::new(None) };
    }

    impl Defect {
        /// All of them.
        pub(crate) const ALL: [Self; 37] = [
            Self::UploadsHalf,
            Self::TrustsTornFile,
            Self::LosesRaceAndOverwrites,
            Self::SkipsMerge,
            Self::WritesAgainBlindly,
            Self::TakesExistsForDone,
            Self::DropsRetry,
            Self::ForgetsClamp,
            Self::UnsettledForever,
            Self::DoublesAttempts,
            Self::ForgetsIntent,
            Self::SkipsMarkerBeforeWrite,
            Self::WritesThoughGone,
            Self::SkipsMarkerAfterCreate,
            Self::KeepsOldIncarnation,
            Self::OpensFallbackGate,
            Self::IgnoresFailedListing,
            Self::CreatesByOverwriting,
            Self::ForgetsCaptured,
            Self::NeverLooksAgain,
            Self::HealthNeverFails,
            Self::NoRateLimit,
            Self::OneStreamAtOnce,
            Self::SameEntropy,
            Self::KeepsFallback,
            Self::ForgetsConfirmed,
            Self::TrustsAnyVersion,
            Self::IgnoresMissing,
            Self::RefusesWhatCameBack,
            Self::NeverRevives,
            Self::AcceptsIgnoredConditions,
            Self::ForgetsUnread,
            Self::KeepsTimer,
            Self::LosesPending,
            Self::CountsNoAbsence,
            Self::ComparesOnlyBeforeWrites,
            Self::ForgetsNodesConflict,
        ];
    }

    /// Whether this defect is planted on this thread.
    pub(crate) fn is(defect: Defect) -> bool {
        PLANTED.get() == Some(defect)
    }

    /// Does something with the defect planted on this thread.
    pub(crate) fn with<T>(defect: Defect, work: impl FnOnce() -> T) -> T {
        PLANTED.set(Some(defect));
        let done = work();
        PLANTED.set(None);
        done
    }
}
