;; Three memories of 48 MiB each: every one within the default bound of 64 MiB, their sum far over it.
(module
  (memory (export "memory") 768)
  (memory 768)
  (memory 768)
  ;; lifecycle.describe: a record of five empty lists; lifecycle.configure: ok; existence.check: ok(present).
  (func (export "tidegate:policy/lifecycle@0.1.0#describe") (result i32) i32.const 1024)
  (func (export "tidegate:policy/lifecycle@0.1.0#configure") (param i32 i32) (result i32) i32.const 1024)
  (func (export "tidegate:policy/existence@0.1.0#check") (param i32) (result i32) i32.const 1024)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 65536)
)
