;; Exports lifecycle@0.1.0 and existence@0.1.0 with functions of other types than the contract's: by name it fits.
(component
  (core module $module
    (memory (export "memory") 1)
    (func (export "describe") (result i32) i32.const 0)
    (func (export "configure") (result i32) i32.const 0)
    (func (export "check") (param i32) (result i32) local.get 0))
  (core instance $instance (instantiate $module))
  (func $describe (result u32) (canon lift (core func $instance "describe")))
  (func $configure (result u32) (canon lift (core func $instance "configure")))
  (func $check (param "facts" u32) (result u32) (canon lift (core func $instance "check")))
  (instance $lifecycle
    (export "describe" (func $describe))
    (export "configure" (func $configure)))
  (instance $existence (export "check" (func $check)))
  (export "tidegate:policy/lifecycle@0.1.0" (instance $lifecycle))
  (export "tidegate:policy/existence@0.1.0" (instance $existence)))
