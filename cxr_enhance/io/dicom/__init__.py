"""DICOM in and out: our own parser of headers; pydicom and its plugins decode compressed frames."""
