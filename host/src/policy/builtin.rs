//! The bundled policies, embedded as components. The build script says where they are taken from.

/// A bundled policy.
struct Builtin {
    name: &'static str,
    component: &'static [u8],
}

const BUILTINS: &[Builtin] = &[
    Builtin {
        name: "presence",
        component: include_bytes!(concat!(env!("TIDEGATE_BUNDLED_DIR"), "/presence.wasm")),
    },
    Builtin {
        name: "ladder",
        component: include_bytes!(concat!(env!("TIDEGATE_BUNDLED_DIR"), "/ladder.wasm")),
    },
    Builtin {
        name: "backoff",
        component: include_bytes!(concat!(env!("TIDEGATE_BUNDLED_DIR"), "/backoff.wasm")),
    },
    Builtin {
        name: "circuit-breaker",
        component: include_bytes!(concat!(
            env!("TIDEGATE_BUNDLED_DIR"),
            "/circuit-breaker.wasm"
        )),
    },
    Builtin {
        name: "never",
        component: include_bytes!(concat!(env!("TIDEGATE_BUNDLED_DIR"), "/never.wasm")),
    },
];

/// The names that `builtin:NAME` may use.
pub fn builtin_names() -> impl Iterator<Item = &'static str> {
    BUILTINS.iter().map(|builtin| builtin.name)
}

/// The component of a bundled policy.
pub(super) fn component(name: &str) -> Option<&'static [u8]> {
    BUILTINS
        .iter()
        .find(|builtin| builtin.name == name)
        .map(|builtin| builtin.component)
}
