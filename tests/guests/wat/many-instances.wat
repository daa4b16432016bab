;; Three hundred core instances, fifteen times twenty, each with a memory of its own. It exports the existence role by
;; name.
(component
  (component $twenty
    (core module $module (memory 1))
    (core instance (instantiate $module)) (core instance (instantiate $module))
    (core instance (instantiate $module)) (core instance (instantiate $module))
    (core instance (instantiate $module)) (core instance (instantiate $module))
    (core instance (instantiate $module)) (core instance (instantiate $module))
    (core instance (instantiate $module)) (core instance (instantiate $module))
    (core instance (instantiate $module)) (core instance (instantiate $module))
    (core instance (instantiate $module)) (core instance (instantiate $module))
    (core instance (instantiate $module)) (core instance (instantiate $module))
    (core instance (instantiate $module)) (core instance (instantiate $module))
    (core instance (instantiate $module)) (core instance (instantiate $module)))
  (instance (instantiate $twenty)) (instance (instantiate $twenty)) (instance (instantiate $twenty))
  (instance (instantiate $twenty)) (instance (instantiate $twenty)) (instance (instantiate $twenty))
  (instance (instantiate $twenty)) (instance (instantiate $twenty)) (instance (instantiate $twenty))
  (instance (instantiate $twenty)) (instance (instantiate $twenty)) (instance (instantiate $twenty))
  (instance (instantiate $twenty)) (instance (instantiate $twenty)) (instance (instantiate $twenty))
  (core module $module
    (memory (export "memory") 1)
    (func (export "check") (result i32) i32.const 0))
  (core instance $instance (instantiate $module))
  (func $check (result u32) (canon lift (core func $instance "check")))
  (instance $existence (export "check" (func $check)))
  (export "tidegate:policy/existence@0.1.0" (instance $existence)))
