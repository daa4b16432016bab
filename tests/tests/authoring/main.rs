//! A policy's way from nothing to an operator's node, as projects' READMEs and the guide lead: with the real tools, and a
//! real registry.
//!
//! The environment variable `TIDEGATE_TEST_AUTHORS` names a directory where the tools are installed: `js/node_modules`
//! and `python/.venv`, as the READMEs of new projects say, and `cargo` for what cargo builds. node, Python, C and Rust
//! compilers, make, clang and wasm-ld are the machine's. `TIDEGATE_TEST_REGISTRY` names the registry, as
//! `http://NAME:PASSWORD@HOST:PORT`. Without both, nothing is tried here.

mod desk;
mod examples;
mod failing;
mod guide;
mod readmes;
