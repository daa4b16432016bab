;; A policy of a contract that is not spoken yet: existence@0.2.0.
(component
  (core module $module
    (memory (export "memory") 1)
    (func (export "check") (result i32) i32.const 0))
  (core instance $instance (instantiate $module))
  (func $check (result u32) (canon lift (core func $instance "check")))
  (instance $existence (export "check" (func $check)))
  (export "tidegate:policy/existence@0.2.0" (instance $existence)))
