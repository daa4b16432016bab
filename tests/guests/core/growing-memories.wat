;; Two memories that a decision grows in turn by one page each, for as long as it may: their sum counts.
(module
  (memory (export "memory") 2)
  (memory $other 1)
  ;; At 1024 lie zeros: ok, and ok(present). At 3072 lies the description: the name "core", the version "0.1.0", and
  ;; nothing else.
  (data (i32.const 3072) "\80\0c\00\00\04\00\00\00\84\0c\00\00\05\00\00\00")
  (data (i32.const 3200) "core0.1.0")
  (func (export "tidegate:policy/lifecycle@0.1.0#describe") (result i32) i32.const 3072)
  (func (export "tidegate:policy/lifecycle@0.1.0#configure") (param i32 i32) (result i32) i32.const 1024)
  (func (export "tidegate:policy/existence@0.1.0#check") (param i32) (result i32)
    (loop $again
      (drop (memory.grow (i32.const 1)))
      (drop (memory.grow $other (i32.const 1)))
      (br $again))
    unreachable)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 65536)
)
