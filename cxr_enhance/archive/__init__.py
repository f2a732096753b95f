"""Folders and lists of files to enhanced copies: what to do (`plan`), and doing it (`local`)."""

from __future__ import annotations
