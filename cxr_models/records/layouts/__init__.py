"""Files and tables of public sets of radiographs: facts about each set, and common rules."""

from cxr_models.records.layouts.columns import LAYOUTS, Layout

__all__ = ["LAYOUTS", "Layout"]
