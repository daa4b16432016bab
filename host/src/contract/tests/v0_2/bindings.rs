wasmtime::component::bindgen!({
    path: "../tests/wit/fictitious-0.2",
    world: "policy",
    imports: { default: async | trappable },
    exports: { default: async },
});
