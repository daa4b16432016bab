use wasmtime::component::{Linker, Resource};

use super::Interface;
use crate::policy::host::Call;

/// `wasi:filesystem/types`: without a directory to begin with, there is none of either.
struct Descriptor;
struct DirectoryEntries;

/// `wasi:filesystem`.
pub(super) fn add(linker: &mut Linker<Call>) -> wasmtime::Result<()> {
    let mut preopens = Interface::of(linker, "filesystem/preopens")?;
    preopens.func("get-directories", |_, ()| {
        Ok((Vec::<(Resource<Descriptor>, String)>::new(),))
    })?;

    let mut types = Interface::of(linker, "filesystem/types")?;
    types.resource::<Descriptor>("descriptor")?;
    types.resource::<DirectoryEntries>("directory-entry-stream")?;
    types.out_of_reach(&[
        "[method]descriptor.read-via-stream",
        "[method]descriptor.write-via-stream",
        "[method]descriptor.append-via-stream",
        "[method]descriptor.advise",
        "[method]descriptor.sync-data",
        "[method]descriptor.get-flags",
        "[method]descriptor.get-type",
        "[method]descriptor.set-size",
        "[method]descriptor.set-times",
        "[method]descriptor.read",
        "[method]descriptor.write",
        "[method]descriptor.read-directory",
        "[method]descriptor.sync",
        "[method]descriptor.create-directory-at",
        "[method]descriptor.stat",
        "[method]descriptor.stat-at",
        "[method]descriptor.set-times-at",
        "[method]descriptor.link-at",
        "[method]descriptor.open-at",
        "[method]descriptor.readlink-at",
        "[method]descriptor.remove-directory-at",
        "[method]descriptor.rename-at",
        "[method]descriptor.symlink-at",
        "[method]descriptor.unlink-file-at",
        "[method]descriptor.is-same-object",
        "[method]descriptor.metadata-hash",
        "[method]descriptor.metadata-hash-at",
        "[method]directory-entry-stream.read-directory-entry",
        "filesystem-error-code",
    ])
}
