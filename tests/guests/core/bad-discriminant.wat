;; Answers a decision with a case that the variant does not have: ok(#200).
(module
  (memory (export "memory") 2)
  (data (i32.const 2048) "\00\00\00\00\c8\00\00\00")
  (func (export "tidegate:policy/lifecycle@0.1.0#describe") (result i32) i32.const 1024)
  (func (export "tidegate:policy/lifecycle@0.1.0#configure") (param i32 i32) (result i32) i32.const 1024)
  (func (export "tidegate:policy/existence@0.1.0#check") (param i32) (result i32) i32.const 2048)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 65536)
)
