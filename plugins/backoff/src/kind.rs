use tidegate_policy::{Failure, FailureKind};

/// What went wrong, as far as rules tell failures apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the contract's `failure` and `store-failure-kind` document each"
)]
pub enum Kind {
    SchemaAbsent,
    SchemaInvalid,
    SchemaConflict,
    Throttled,
    Unavailable,
    Timeout,
    PreconditionFailed,
    PermissionDenied,
    NotFound,
    StoreOther,
    Other,
}

impl Kind {
    /// All of them, in the order of the documentation.
    pub const ALL: [Kind; 11] = [
        Kind::SchemaAbsent,
        Kind::SchemaInvalid,
        Kind::SchemaConflict,
        Kind::Throttled,
        Kind::Unavailable,
        Kind::Timeout,
        Kind::PreconditionFailed,
        Kind::PermissionDenied,
        Kind::NotFound,
        Kind::StoreOther,
        Kind::Other,
    ];

    /// The kind of this failure.
    pub fn of(failure: &Failure) -> Self {
        match failure {
            Failure::SchemaAbsent(_) => Kind::SchemaAbsent,
            Failure::SchemaInvalid(_) => Kind::SchemaInvalid,
            Failure::SchemaConflict(_) => Kind::SchemaConflict,
            Failure::Store(failure) => match failure.kind {
                FailureKind::Throttled => Kind::Throttled,
                FailureKind::Unavailable => Kind::Unavailable,
                FailureKind::Timeout => Kind::Timeout,
                FailureKind::PreconditionFailed => Kind::PreconditionFailed,
                FailureKind::PermissionDenied => Kind::PermissionDenied,
                FailureKind::NotFound => Kind::NotFound,
                FailureKind::Other => Kind::StoreOther,
            },
            Failure::Other(_) => Kind::Other,
        }
    }

    /// Its name in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Kind::SchemaAbsent => "schema-absent",
            Kind::SchemaInvalid => "schema-invalid",
            Kind::SchemaConflict => "schema-conflict",
            Kind::Throttled => "store.throttled",
            Kind::Unavailable => "store.unavailable",
            Kind::Timeout => "store.timeout",
            Kind::PreconditionFailed => "store.precondition-failed",
            Kind::PermissionDenied => "store.permission-denied",
            Kind::NotFound => "store.not-found",
            Kind::StoreOther => "store.other",
            Kind::Other => "other",
        }
    }
}
