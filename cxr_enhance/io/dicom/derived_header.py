"""What a header must say otherwise once its pixels are enhanced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cxr_enhance.io.dicom.strip import SPACINGS
from cxr_enhance.io.dicom.tables import display_table, stored_values

if TYPE_CHECKING:
    from cxr_enhance.io.dicom.header import DicomHeader
    from cxr_enhance.io.dicom.lossy import Loss

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_STORAGE = "1.2.840.10008.5.1.4.1.1."
# Digital X-ray, mammography, intra-oral: for processing, and for presentation.
_FOR_PRESENTATION = {
    _STORAGE + "1.1.1": _STORAGE + "1.1",
    _STORAGE + "1.2.1": _STORAGE + "1.2",
    _STORAGE + "1.3.1": _STORAGE + "1.3",
}
# What described the pixels that are replaced.
_OUTDATED = (
    "PlanarConfiguration", "NumberOfFrames", "FrameIncrementPointer", "WindowCenter", "WindowWidth",
    "WindowCenterWidthExplanation", "VOILUTFunction", "VOILUTSequence", "ModalityLUTSequence",
    "RescaleIntercept", "RescaleSlope", "RescaleType", "SmallestImagePixelValue",
    "LargestImagePixelValue", "SmallestPixelValueInSeries", "LargestPixelValueInSeries",
    "PixelPaddingValue", "PixelPaddingRangeLimit", "PixelDataProviderURL", "PixelAspectRatio",
    "ICCProfile", "IconImageSequence", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
    "EncapsulatedPixelDataValueTotalLength", "OriginalAttributesSequence", *GROUPS,
)  # fmt: skip
# Places in the image, in pixels.
_PLACES = (
    "ShutterShape", "ShutterLeftVerticalEdge", "ShutterRightVerticalEdge",
    "ShutterUpperHorizontalEdge", "ShutterLowerHorizontalEdge", "CenterOfCircularShutter",
    "RadiusOfCircularShutter", "VerticesOfThePolygonalShutter", "ShutterPresentationValue",
    "CollimatorShape", "CollimatorLeftVerticalEdge", "CollimatorRightVerticalEdge",
    "CollimatorUpperHorizontalEdge", "CollimatorLowerHorizontalEdge", "CenterOfCircularCollimator",
    "RadiusOfCircularCollimator", "VerticesOfThePolygonalCollimator",
)  # fmt: skip
_OVERLAY_GROUPS = range(0x6000, 0x6020, 2)


def follow_pixels(
    data_set: Any, header: DicomHeader | None, new_size: tuple[int, ...], notes: list[str]
) -> None:
    """Change or remove what no longer holds; `header` is that of a DICOM source."""
    for keyword in _OUTDATED:
        if keyword in data_set:
            del data_set[keyword]
    intended = _FOR_PRESENTATION.get(str(data_set.get("SOPClassUID")))
    if intended is not None:
        data_set.SOPClassUID = intended
    if intended is not None or "PresentationIntentType" in data_set:
        data_set.PresentationIntentType = "FOR PRESENTATION"
    if intended is not None or "PresentationLUTShape" in data_set:
        data_set.PresentationLUTShape = "IDENTITY"
    if "PixelIntensityRelationship" in data_set:  # neither linear nor logarithmic any more
        data_set.PixelIntensityRelationship = "DISP"
    sign = data_set.get("PixelIntensityRelationshipSign")
    if sign in (1, -1) and header is not None and _is_reversed(header):
        data_set.PixelIntensityRelationshipSign = -sign
    is_resized = (data_set.Rows, data_set.Columns) != new_size
    _drop_overlays(data_set, notes, all_of_them=is_resized)
    if is_resized:
        places = [keyword for keyword in _PLACES if keyword in data_set]
        for keyword in places:
            del data_set[keyword]
        if places:
            notes.append("shutter or collimator left out, as the image was resized")


def state_loss(data_set: Any, loss: Loss | None) -> None:
    """Say that pixels were compressed with loss, once and for all images derived from them."""
    said = str(data_set.get("LossyImageCompression") or "")
    if loss is None or said == "01" or (said == "00" and not loss.is_certain):
        return
    data_set.LossyImageCompression = "01"
    data_set.LossyImageCompressionRatio = f"{loss.ratio:.4g}"
    if loss.method:
        data_set.LossyImageCompressionMethod = loss.method


def scale_spacing(data_set: Any, old: tuple[int, int], new: tuple[int, ...]) -> None:
    """Keep millimetres right where the image was resized."""
    for keyword in SPACINGS:
        spacing = data_set.get(keyword)
        if old != new and spacing is not None and len(spacing) == 2:
            scaled = [float(spacing[axis]) * old[axis] / new[axis] for axis in (0, 1)]
            setattr(data_set, keyword, [f"{value:.10g}" for value in scaled])


def _is_reversed(header: DicomHeader) -> bool:
    """Tell whether greater stored values are shown darker."""
    if header.samples != 1:
        return False
    table, stored = display_table(header, "auto", []), stored_values(header)
    is_low = stored <= (int(stored.min()) + int(stored.max())) // 2
    return bool(table[is_low].mean() > table[~is_low].mean())


def _drop_overlays(data_set: Any, notes: list[str], *, all_of_them: bool) -> None:
    """Remove overlays whose bits were in words that are gone, or whose size the image had."""
    for group in _OVERLAY_GROUPS:
        overlay = data_set.group_dataset(group)
        if not len(overlay):
            continue
        is_embedded = (group, 0x3000) not in overlay
        if not (all_of_them or is_embedded):
            continue
        for element in list(overlay):
            del data_set[element.tag]
        why = "its bits were those of the pixels" if is_embedded else "the image was resized"
        notes.append(f"overlay ({group:04X},xxxx) left out, as {why}")
