;; Imports what no host offers to a policy. It exports the existence role by name, so the import is what speaks against
;; it first.
(component
  (import "evil:host/shell@1.0.0" (instance $shell
    (export "run" (func (param "command" string) (result string)))))
  (core module $module
    (memory (export "memory") 1)
    (func (export "check") (result i32) i32.const 0))
  (core instance $instance (instantiate $module))
  (func $check (result u32) (canon lift (core func $instance "check")))
  (instance $existence (export "check" (func $check)))
  (export "tidegate:policy/existence@0.1.0" (instance $existence)))
