//! Components from a few lines of WebAssembly text.

use std::path::{Path, PathBuf};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Resolve, WorldId, WorldItem};

/// A guest, by the bodies of its functions in the text format. Memory is zero at 1024, which reads as `Ok` of the first
/// case: `describe` gives empty strings, `configure` agrees, `check` says `present`.
#[derive(Clone)]
pub(crate) struct Guest {
    /// Fields of the module: imports come first.
    pub(crate) imports: String,
    /// Functions, globals, data.
    pub(crate) fields: String,
    pub(crate) memory: &'static str,
    pub(crate) describe: String,
    pub(crate) configure: String,
    pub(crate) check: String,
    pub(crate) choose: String,
    pub(crate) decide: String,
    pub(crate) world: &'static str,
    /// The version of WASI that [`SEALED`] has.
    pub(crate) wasi: &'static str,
}

impl Default for Guest {
    fn default() -> Self {
        let ok = "i32.const 1024".to_owned();
        Self {
            imports: String::new(),
            fields: String::new(),
            memory: "(memory (export \"memory\") 2)",
            describe: ok.clone(),
            configure: ok.clone(),
            check: ok.clone(),
            choose: ok.clone(),
            decide: ok,
            world: "writing-policy",
            wasi: WASI,
        }
    }
}

/// The functions that guests import, as a core module sees them.
pub(crate) const HEAD: &str =
    "(import \"tidegate:policy/object-reader@0.1.0\" \"head\" (func $head (param i32 i32 i32)))";
pub(crate) const GET: &str = "(import \"tidegate:policy/object-reader@0.1.0\" \"get\" (func $get (param i32 i32 i64 i32 i32)))";
pub(crate) const LIST: &str = "(import \"tidegate:policy/object-reader@0.1.0\" \"list-objects\" (func $list (param i32 i32 i32 i32 i32 i32 i32)))";
pub(crate) const PUT: &str = "(import \"tidegate:policy/object-writer@0.1.0\" \"put\" (func $put (param i32 i32 i32 i32 i32 i32 i32 i32)))";
pub(crate) const READ_FILE: &str = "(import \"tidegate:policy/staging@0.1.0\" \"read-file\" (func $read (param i32 i32 i64 i32 i32)))";
pub(crate) const SWAP: &str = "(import \"tidegate:policy/state@0.1.0\" \"swap\" (func $swap (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))";
/// Sets the key of the text's first byte, of the stream's state, from absent to the two bytes behind it.
pub(crate) const CREATE_STATE: &str = "(call $swap (i32.const 0) (i32.const 2048) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 2049) (i32.const 2) (i32.const 3072))";
pub(crate) const LOAD: &str =
    "(import \"tidegate:policy/state@0.1.0\" \"load\" (func $load (param i32 i32 i32 i32)))";
pub(crate) const LOG: &str =
    "(import \"tidegate:policy/log@0.1.0\" \"write\" (func $log (param i32 i32 i32)))";

impl Guest {
    /// A guest whose `check` is this.
    pub(crate) fn checking(check: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            ..Self::default()
        }
    }

    pub(crate) fn importing(mut self, imports: &[&str]) -> Self {
        self.imports = imports.concat();
        self
    }

    /// Text at 2048, for keys and the like.
    pub(crate) fn with_text(mut self, text: &str) -> Self {
        let bytes: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
        self.fields += &format!("(data (i32.const 2048) \"{bytes}\")");
        self
    }

    fn world(&self) -> (Resolve, WorldId) {
        if self.world == SEALED {
            return sealed_world(self.wasi);
        }
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_path(contract()).unwrap();
        let world = resolve.select_world(&[package], Some(self.world)).unwrap();
        (resolve, world)
    }

    pub(crate) fn component(&self) -> Vec<u8> {
        let exports = [
            ("existence-policy", "existence", "check", &self.check),
            ("fallback-policy", "fallback", "choose", &self.choose),
            ("retry-policy", "retry", "decide", &self.decide),
        ];
        let roles: String = exports
            .into_iter()
            .filter(|(world, ..)| [*world, "writing-policy", SEALED].contains(&self.world))
            .map(|(_, interface, function, body)| {
                format!(
                    "(func (export \"tidegate:policy/{interface}@0.1.0#{function}\") \
                     (param i32) (result i32) (local $i i32) {body})"
                )
            })
            .collect();
        let text = format!(
            "(module {imports} {memory} {fields} {HELPERS} {roles}
               (func (export \"tidegate:policy/lifecycle@0.1.0#describe\") (result i32) {describe})
               (func (export \"tidegate:policy/lifecycle@0.1.0#configure\") (param i32 i32) (result i32)
                 {configure}))",
            imports = self.imports,
            memory = self.memory,
            fields = self.fields,
            describe = self.describe,
            configure = self.configure,
        );
        let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let (resolve, world) = self.world();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        ComponentEncoder::default()
            .validate(true)
            .module(&module)
            .and_then(|mut encoder| encoder.encode())
            .unwrap_or_else(|error| panic!("{error:#}\n{text}"))
    }
}

/// The world that has all of the contract and all of WASI.
pub(crate) const SEALED: &str = "sealed-policy";
/// The version of WASI that it is of.
pub(crate) const WASI: &str = "0.2.12";

/// [`SEALED`], as if WASI were of this version.
fn sealed_world(version: &str) -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    resolve.push_path(contract()).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/wit/wasi-0.2.wit");
    let text = std::fs::read_to_string(&path).unwrap();
    let package = resolve
        .push_str(&path, &text.replace(WASI, version))
        .unwrap();
    let world = resolve.select_world(&[package], Some(SEALED)).unwrap();
    (resolve, world)
}

/// Imports of every function of WASI, as a core module has them.
pub(crate) fn all_of_wasi(version: &str) -> String {
    let (resolve, world) = sealed_world(version);
    let types = |types: &[WasmType]| -> String {
        let words = types.iter().map(|kind| match kind {
            WasmType::I64 | WasmType::PointerOrI64 => " i64",
            WasmType::F32 => " f32",
            WasmType::F64 => " f64",
            _ => " i32",
        });
        words.collect()
    };
    let mut imports = String::new();
    for (key, item) in &resolve.worlds[world].imports {
        let interface = resolve.name_world_key(key);
        let WorldItem::Interface { id, .. } = item else {
            continue;
        };
        if !interface.starts_with("wasi:") {
            continue;
        }
        for (name, function) in &resolve.interfaces[*id].functions {
            let kind = resolve.wasm_signature(AbiVariant::GuestImport, function);
            imports += &format!(
                "(import \"{interface}\" \"{name}\" (func (param{}) (result{})))",
                types(&kind.params),
                types(&kind.results)
            );
        }
    }
    imports
}

fn contract() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/0.1")
}

/// `cabi_realloc` hands out ever new memory from 64 KiB on. `$number` answers `unsettled` with a number,
/// `$words` gives a role's answer of a case with a string, `$refuse` an error.
const HELPERS: &str = r#"
  (global $next (mut i32) (i32.const 65536))
  (func $alloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get 3)))
    (block $fits
      (loop $more
        (br_if $fits (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
        (drop (memory.grow (i32.const 1)))
        (br $more)))
    (local.get $at))
  (func $case (param $case i32) (param $at i32) (param $len i32) (result i32)
    (i32.store8 (i32.const 1024) (i32.const 0))
    (i32.store8 (i32.const 1028) (local.get $case))
    (i32.store (i32.const 1032) (local.get $at))
    (i32.store (i32.const 1036) (local.get $len))
    (i32.const 1024))
  (func $number (param $number i32) (result i32)
    (call $case (i32.const 3) (local.get $number) (i32.const 0)))
  (func $refuse (param $at i32) (param $len i32) (result i32)
    (i32.store8 (i32.const 1024) (i32.const 1))
    (i32.store (i32.const 1028) (local.get $at))
    (i32.store (i32.const 1032) (local.get $len))
    (i32.const 1024))
"#;
