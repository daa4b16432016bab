;; A component without any export.
(component)
