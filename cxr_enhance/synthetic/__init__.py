"""Radiographs that no patient had to give: drawn chests for tests, benchmarks and demos."""

from __future__ import annotations

from cxr_enhance.synthetic.radiograph import synthetic_radiograph

__all__ = ["synthetic_radiograph"]
