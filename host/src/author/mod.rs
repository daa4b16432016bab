//! From an idea to a component: makes projects for policies, builds them, and bundles the ones that Tidegate brings along.
//!
//! Everything here is for whoever writes policies, on the machine where they write them: it runs the compilers that they
//! have installed. No agent does any of it.

pub mod build;
pub mod bundle;
mod compiler;
mod component;
mod contract;
mod language;
mod name;
mod scaffold;
mod sdk;
mod strip;
mod templates;
mod tool;

pub use language::{Language, UnknownLanguage};
pub use name::{BadName, PolicyName};
pub use scaffold::{ScaffoldError, scaffold};
pub use tool::Missing;
