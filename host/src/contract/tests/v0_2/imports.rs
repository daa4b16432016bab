use std::marker::PhantomData;

use wasmtime::StoreContextMut;
use wasmtime::component::{HasData, Linker};

use super::LOG;
use super::bindings::tidegate::policy::{staging, types};
use crate::contract::imports::{Imports, write_line};
use crate::contract::{LogLevel, StagingError};

struct Answering<'a, T>(&'a mut T);

struct Has<T>(PhantomData<T>);

impl<T: 'static> HasData for Has<T> {
    type Data<'a> = Answering<'a, T>;
}

pub(crate) fn add_to_linker<T: Imports>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    types::add_to_linker::<_, Has<T>>(linker, |data| Answering(data))?;
    staging::add_to_linker::<_, Has<T>>(linker, |data| Answering(data))?;
    linker.instance(LOG)?.func_wrap(
        "write",
        |store: StoreContextMut<'_, T>, (message,): (String,)| {
            write_line(store, LogLevel::Info, &message)
        },
    )
}

impl<T: Imports> types::Host for Answering<'_, T> {}

impl<T: Imports> staging::Host for Answering<'_, T> {
    async fn list_names(&mut self) -> wasmtime::Result<Result<Vec<String>, String>> {
        Ok(match self.0.list_files().await? {
            Ok(files) => Ok(files.into_iter().map(|file| file.name).collect()),
            Err(StagingError::Failed(cause)) => Err(cause),
            Err(_) => Err("it can't be told".to_owned()),
        })
    }
}
