"""Public sets as they are downloaded, drawn: the exact trees and tables, quirks included.

Each function writes a set of a few drawn radiographs into an empty folder.
"""
