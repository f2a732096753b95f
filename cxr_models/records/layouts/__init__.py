"""How public sets of radiographs keep their files and tables: facts a set, and rules they share."""

from cxr_models.records.layouts.columns import LAYOUTS, Layout

__all__ = ["LAYOUTS", "Layout"]
