use wasmtime::StoreContextMut;
use wasmtime::component::{
    ComponentNamedList, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType,
};

use super::super::cause::{CallFailure, Cause};
use super::super::host::Call;

/// What every call costs in fuel, besides what it moves: about what it takes, so that a loop of calls ends as soon as
/// a loop of instructions.
const CALL_FUEL: u64 = 200;

/// One interface while its functions are defined.
pub(super) struct Interface<'a>(LinkerInstance<'a, Call>);

impl<'a> Interface<'a> {
    /// The interface of this package and name.
    pub(super) fn of(linker: &'a mut Linker<Call>, name: &str) -> wasmtime::Result<Self> {
        Ok(Self(linker.instance(&format!("wasi:{name}@0.2.0"))?))
    }

    /// A function. What it owes for bytes is charged together with [`CALL_FUEL`].
    pub(super) fn func<P, R>(
        &mut self,
        name: &str,
        function: impl Fn(&mut Call, P) -> wasmtime::Result<R> + Send + Sync + 'static,
    ) -> wasmtime::Result<()>
    where
        P: ComponentNamedList + Lift + 'static,
        R: ComponentNamedList + Lower + 'static,
    {
        self.0.func_wrap(
            name,
            move |mut store: StoreContextMut<'_, Call>, parameters: P| {
                let result = function(store.data_mut(), parameters);
                let owed = store.data_mut().seal.take_owed();
                let fuel = store.get_fuel()?;
                store.set_fuel(fuel.saturating_sub(owed.saturating_add(CALL_FUEL)))?;
                result
            },
        )
    }

    /// A resource whose handles are counted.
    pub(super) fn resource<T: 'static>(&mut self, name: &str) -> wasmtime::Result<()> {
        let kind = ResourceType::host::<T>();
        self.0.resource(name, kind, |mut store, _| {
            store.data_mut().seal.close();
            Ok(())
        })
    }

    /// Functions of resources of which there never is one. They have to be there all the same, for components to link.
    pub(super) fn out_of_reach(&mut self, names: &'static [&'static str]) -> wasmtime::Result<()> {
        for name in names {
            self.0.func_new(name, move |_, _, _, _| {
                let message = format!("`{name}` was called on what can't be there");
                Err(CallFailure::new(Cause::Trap, message).into())
            })?;
        }
        Ok(())
    }
}

/// A new handle. It has no state besides its kind, so that one which a reused instance holds means the same in every
/// decision.
pub(super) fn open<T: 'static>(call: &mut Call, kind: u32) -> wasmtime::Result<Resource<T>> {
    call.seal.open()?;
    Ok(Resource::new_own(kind))
}
