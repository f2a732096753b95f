"""A header without identity: PS3.15's Basic Application Confidentiality Profile, and less kept."""

from __future__ import annotations

from typing import Any

from cxr_enhance._version import __version__
from cxr_enhance.io.dicom.pseudonym import hashed_uid, pseudonym

SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
# What a file keeps when its identity is stripped: technique and geometry, no names, dates, places,
# free text or UIDs. Everything else goes, private elements too.
_IMPERSONAL = (
    "SOPClassUID", "Modality", "ImageType", "ConversionType", "PresentationIntentType",
    "BodyPartExamined", "ViewPosition", "Laterality", "ImageLaterality", "PatientOrientation",
    "PhotometricInterpretation", "KVP", "ExposureTime", "XRayTubeCurrent", "Exposure",
    "DistanceSourceToDetector", "DistanceSourceToPatient", "Grid", "FilterType",
    "PixelIntensityRelationship", "PixelIntensityRelationshipSign", "PresentationLUTShape",
    "BurnedInAnnotation", "LossyImageCompression", "LossyImageCompressionRatio",
    "LossyImageCompressionMethod", *SPACINGS,
)  # fmt: skip
# Must be there, and may be empty.
EMPTIED = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
_PROFILE = ("113100", "DCM", "Basic Application Confidentiality Profile")


def stripped(pydicom: Any, data_set: Any, digest: str, key: bytes | None) -> Any:
    """Keep technique and geometry alone.

    Parameters
    ----------
    pydicom : module
        The library.
    data_set : pydicom.Dataset
        The whole header.
    digest : str
        Of the source; stands for UIDs that are missing.
    key : bytes or None
        Of pseudonyms: with one, PatientID holds a pseudonym, and nobody without the key can tell
        which original the UIDs are of.
    """
    kept = pydicom.Dataset()
    for keyword in _IMPERSONAL:
        if keyword in data_set:
            kept[keyword] = data_set[keyword]
    for keyword in EMPTIED:
        setattr(kept, keyword, None)
    patient = str(data_set.get("PatientID") or "").strip(" \0")
    if key is not None and patient:
        kept.PatientID = pseudonym(patient, key)
    study, series = data_set.get("StudyInstanceUID"), data_set.get("SeriesInstanceUID")
    kept.StudyInstanceUID = hashed_uid(str(study or digest), "stripped study", key=key)
    kept.SeriesInstanceUID = hashed_uid(str(series or digest), "stripped series", key=key)
    kept.PatientIdentityRemoved = "YES"
    kept.DeidentificationMethod = f"cxr-enhance {__version__}: PS3.15 Basic Profile, rest removed"
    code = pydicom.Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = _PROFILE
    kept.DeidentificationMethodCodeSequence = [code]
    kept.LongitudinalTemporalInformationModified = "REMOVED"
    return kept
