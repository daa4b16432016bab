;; A table that starts with ten million entries, eight bytes each in the host.
(module
  (memory (export "memory") 2)
  (table 10000000 funcref)
  (func (export "tidegate:policy/lifecycle@0.1.0#describe") (result i32) i32.const 1024)
  (func (export "tidegate:policy/lifecycle@0.1.0#configure") (param i32 i32) (result i32) i32.const 1024)
  (func (export "tidegate:policy/existence@0.1.0#check") (param i32) (result i32) i32.const 1024)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 65536)
)
