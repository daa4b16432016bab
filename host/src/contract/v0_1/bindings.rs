//! What Wasmtime generates from `wit/0.1`. The widest world is generated once, so that every interface has its module
//! here and all roles share one set of types; the host tells a component's roles by its exports, not by its world.
//!
//! Values that only travel to the guest borrow from the host's own (`StreamFacts<'_>`): a decision copies no string
//! besides the copy into the guest's memory.

wasmtime::component::bindgen!({
    path: "../wit/0.1",
    world: "writing-policy",
    imports: { default: async | trappable },
    exports: { default: async },
    ownership: Borrowing { duplicate_if_necessary: true },
});
