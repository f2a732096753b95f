"""Reading and writing of DICOM files.

The package parses headers itself; pydicom and its plugins decode compressed frames.
"""
