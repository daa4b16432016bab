/// Guests that are kept together.
#[derive(Debug)]
pub(super) struct Set {
    /// Where their components and manifest are committed, relative to the repository.
    pub(super) dir: &'static str,
    /// The directory of the workspace that their crates are members of, relative to the repository.
    pub(super) workspace: &'static str,
    pub(super) guests: &'static [Guest],
    /// What they are built from besides their own files and their workspace's: files and directories, relative to the
    /// repository.
    pub(super) shared: &'static [&'static str],
}

/// What becomes a component.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) name: &'static str,
    /// What it is built from, relative to the repository: the directory of a crate which has
    /// this name, or the text of a core module (`.wat`) of the world [`MODULE_WORLD`].
    pub(super) source: &'static str,
}

/// Where the contract stands, relative to the repository.
pub(super) const CONTRACT: &str = "wit/0.1";

/// The world of core modules that are written by hand.
pub(super) const MODULE_WORLD: &str = "existence-policy";

impl Set {
    /// All that a guest of this set is built from.
    pub(super) fn sources(&self, guest: &Guest) -> Vec<String> {
        let manifest =
            ["Cargo.lock", "Cargo.toml"].map(|file| format!("{}/{file}", self.workspace));
        let places = self.shared.iter().copied().chain([guest.source]);
        manifest
            .into_iter()
            .chain(places.map(str::to_owned))
            .collect()
    }
}

impl Guest {
    /// Whether it is a core module written by hand, and no crate.
    pub(super) fn is_module(&self) -> bool {
        self.source.ends_with(".wat")
    }
}

/// Every set, and with them every guest.
pub(super) const SETS: &[Set] = &[
    Set {
        dir: "plugins/bundled",
        workspace: "plugins",
        guests: &[
            guest("backoff", "plugins/backoff"),
            guest("circuit-breaker", "plugins/circuit-breaker"),
            guest("ladder", "plugins/ladder"),
            guest("never", "plugins/never"),
            guest("presence", "plugins/presence"),
        ],
        shared: &["plugins/sdk", CONTRACT],
    },
    Set {
        dir: "tests/guests/bundled",
        workspace: "tests/guests",
        guests: &[
            guest("hostile", "tests/guests/hostile"),
            guest("hostile-writer", "tests/guests/hostile-writer"),
            guest("huge-describe", "tests/guests/huge-describe"),
            guest("trap-in-describe", "tests/guests/trap-in-describe"),
            guest("bad-discriminant", "tests/guests/core/bad-discriminant.wat"),
            guest("bad-pointer", "tests/guests/core/bad-pointer.wat"),
            guest("bad-realloc", "tests/guests/core/bad-realloc.wat"),
            guest("growing-memories", "tests/guests/core/growing-memories.wat"),
            guest("growing-table", "tests/guests/core/growing-table.wat"),
            guest("huge-memory", "tests/guests/core/huge-memory.wat"),
            guest("huge-table", "tests/guests/core/huge-table.wat"),
            guest("loop-in-start", "tests/guests/core/loop-in-start.wat"),
            guest("several-memories", "tests/guests/core/several-memories.wat"),
            guest("trap-in-start", "tests/guests/core/trap-in-start.wat"),
        ],
        shared: &[CONTRACT],
    },
];

const fn guest(name: &'static str, source: &'static str) -> Guest {
    Guest { name, source }
}
