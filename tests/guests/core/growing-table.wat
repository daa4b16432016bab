;; A table that a decision grows by a thousand entries at a time, for as long as it may.
(module
  (memory (export "memory") 2)
  (table 1 funcref)
  ;; At 1024 lie zeros: ok, and ok(present). At 3072 lies the description: the name "core", the version "0.1.0", and
  ;; nothing else.
  (data (i32.const 3072) "\80\0c\00\00\04\00\00\00\84\0c\00\00\05\00\00\00")
  (data (i32.const 3200) "core0.1.0")
  (func (export "tidegate:policy/lifecycle@0.1.0#describe") (result i32) i32.const 3072)
  (func (export "tidegate:policy/lifecycle@0.1.0#configure") (param i32 i32) (result i32) i32.const 1024)
  (func (export "tidegate:policy/existence@0.1.0#check") (param i32) (result i32)
    (loop $again
      (drop (table.grow (ref.null func) (i32.const 1000)))
      (br $again))
    unreachable)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 65536)
)
