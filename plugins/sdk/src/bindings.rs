//! What `wit-bindgen` makes of the contract.
//!
//! Each interface that a policy may export has a world of its own here, so that a component exports the roles that it
//! fills and no others: `wit-component` joins the worlds of those whose macros a policy's crate expands.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated from the contract, which documents every item"
)]

pub(crate) mod imports {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package tidegate:sdk;
            world imports {
                include tidegate:policy/imports@0.1.0;
                import tidegate:policy/object-writer@0.1.0;
            }
        ",
        world: "tidegate:sdk/imports",
        generate_all,
        generate_unused_types: true,
    });
}

pub(crate) use imports::tidegate::policy::{
    log, object_reader, object_writer, staging, state, types,
};

/// The export of `lifecycle`.
pub mod lifecycle {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package tidegate:sdk;
            world lifecycle { export tidegate:policy/lifecycle@0.1.0; }
        ",
        world: "tidegate:sdk/lifecycle",
        pub_export_macro: true,
        export_macro_name: "export_lifecycle",
    });
}

/// The export of `existence`.
pub mod existence {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package tidegate:sdk;
            world existence { export tidegate:policy/existence@0.1.0; }
        ",
        world: "tidegate:sdk/existence",
        with: { "tidegate:policy/types@0.1.0": crate::bindings::types },
        pub_export_macro: true,
        export_macro_name: "export_existence",
    });
}

/// The export of `fallback`.
pub mod fallback {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package tidegate:sdk;
            world fallback { export tidegate:policy/fallback@0.1.0; }
        ",
        world: "tidegate:sdk/fallback",
        with: { "tidegate:policy/types@0.1.0": crate::bindings::types },
        pub_export_macro: true,
        export_macro_name: "export_fallback",
    });
}

/// The export of `retry`.
pub mod retry {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package tidegate:sdk;
            world retry { export tidegate:policy/retry@0.1.0; }
        ",
        world: "tidegate:sdk/retry",
        with: { "tidegate:policy/types@0.1.0": crate::bindings::types },
        pub_export_macro: true,
        export_macro_name: "export_retry",
    });
}
