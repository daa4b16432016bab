;; A component with an export that is none of the contract's.
(component
  (core module $module (func (export "run")))
  (core instance $instance (instantiate $module))
  (func $run (canon lift (core func $instance "run")))
  (instance $runner (export "run" (func $run)))
  (export "other:package/runner@0.1.0" (instance $runner)))
