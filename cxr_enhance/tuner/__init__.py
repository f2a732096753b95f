"""An interactive page to choose parameters: it shows an image before and after the enhancement.

`session` answers the requests of a page and does not depend on Panel. `page`, `server` and
`notebook` use Panel; no other module imports Panel.
"""
