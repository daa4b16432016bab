//! Tells the compiler where the bundled policies' components lie: in the directory that `TIDEGATE_BUNDLED` names, for
//! builds that embed freshly built ones, else in `plugins/bundled`.

use std::path::{Path, PathBuf};

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-env-changed=TIDEGATE_BUNDLED");
    let bundled = std::env::var_os("TIDEGATE_BUNDLED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/bundled"),
        PathBuf::from,
    );
    let bundled = std::path::absolute(bundled)?;
    println!(
        "cargo::rustc-env=TIDEGATE_BUNDLED_DIR={}",
        bundled.display()
    );
    Ok(())
}
