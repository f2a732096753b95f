"""Change a header so that it describes the enhanced pixels instead of the original pixels."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from cxr_enhance.io.dicom.strip import SPACINGS
from cxr_enhance.io.dicom.windowing import display_table, stored_values

if TYPE_CHECKING:
    from cxr_enhance.io.dicom.header import DicomHeader
    from cxr_enhance.io.dicom.lossy import Loss
    from cxr_enhance.io.dicom.pixels import Stored

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_STORAGE = "1.2.840.10008.5.1.4.1.1."
# Digital X-ray, mammography, intra-oral: for processing, and for presentation.
_FOR_PRESENTATION = {
    _STORAGE + "1.1.1": _STORAGE + "1.1",
    _STORAGE + "1.2.1": _STORAGE + "1.2",
    _STORAGE + "1.3.1": _STORAGE + "1.3",
}
# These classes require several frames: Secondary Capture, ultrasound.
_MULTI_FRAME = frozenset(_STORAGE + end for end in ("3.1", "7.1", "7.2", "7.3", "7.4"))
# Elements that describe the replaced pixels, or the frames of which one is left.
_OUTDATED = (
    "PlanarConfiguration", "NumberOfFrames", "FrameIncrementPointer", "WindowCenter", "WindowWidth",
    "WindowCenterWidthExplanation", "VOILUTFunction", "VOILUTSequence", "ModalityLUTSequence",
    "RescaleIntercept", "RescaleSlope", "RescaleType", "SmallestImagePixelValue",
    "LargestImagePixelValue", "SmallestPixelValueInSeries", "LargestPixelValueInSeries",
    "PixelPaddingValue", "PixelPaddingRangeLimit", "PixelDataProviderURL",
    "RealWorldValueMappingSequence", "PixelIntensityRelationshipLUTSequence", "HistogramSequence",
    "PresentationLUTSequence", "ICCProfile", "IconImageSequence",
    "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
    "EncapsulatedPixelDataValueTotalLength", "OriginalAttributesSequence", "FrameTime",
    "FrameTimeVector", "FrameDelay", "CineRate", "RecommendedDisplayFrameRate", "StartTrim",
    "StopTrim", "PreferredPlaybackSequencing", "EffectiveDuration", "RepresentativeFrameNumber",
    "FrameNumbersOfInterest", "FrameOfInterestDescription", "FrameOfInterestType",
    "FrameLabelVector", "PageNumberVector", "FramePrimaryAngleVector",
    "FrameSecondaryAngleVector", "SliceLocationVector", "DisplayWindowLabelVector",
    "MaskSubtractionSequence", *GROUPS,
)  # fmt: skip
# Elements that hold positions in the image, in pixels.
_PLACES = (
    "ShutterShape", "ShutterLeftVerticalEdge", "ShutterRightVerticalEdge",
    "ShutterUpperHorizontalEdge", "ShutterLowerHorizontalEdge", "CenterOfCircularShutter",
    "RadiusOfCircularShutter", "VerticesOfThePolygonalShutter", "ShutterPresentationValue",
    "CollimatorShape", "CollimatorLeftVerticalEdge", "CollimatorRightVerticalEdge",
    "CollimatorUpperHorizontalEdge", "CollimatorLowerHorizontalEdge", "CenterOfCircularCollimator",
    "RadiusOfCircularCollimator", "VerticesOfThePolygonalCollimator",
)  # fmt: skip
_FINEST_ASPECT, _MOST_ASPECT = 10_000, 2**31 - 1
_OVERLAY_GROUPS = range(0x6000, 0x6020, 2)
# Elements of an overlay.
_ROWS, _COLUMNS, _FRAMES, _BITS, _POSITION = 0x0010, 0x0011, 0x0015, 0x0100, 0x0102
_DATA = 0x3000


def follow_pixels(
    data_set: Any,
    header: DicomHeader | None,
    stored: Stored | None,
    notes: list[str],
    *,
    is_resized: bool,
    is_inverted: bool = False,
) -> None:
    """Change or remove the elements that do not describe the new pixels.

    Parameters
    ----------
    data_set : pydicom.Dataset
        The header to be changed.
    header : DicomHeader or None
        Description of a DICOM source; None for other sources.
    stored : Stored or None
        The stored words of the source, if their spare bits may hold overlays that can be read.
    notes : list of str
        Gets a note for each element that is left out.
    is_resized : bool
        Whether the new image has another size, or shows another part of the source.
    is_inverted : bool
        Whether black and white were exchanged although the header does not require it.
    """
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
    # Pixels are neither linear nor logarithmic any more, but digital X-ray allows only these terms.
    if "PixelIntensityRelationship" in data_set and not _is_digital_x_ray(data_set):
        data_set.PixelIntensityRelationship = "DISP"
    sign = data_set.get("PixelIntensityRelationshipSign")
    if sign in (1, -1) and (header is not None and _is_reversed(header)) != is_inverted:
        data_set.PixelIntensityRelationshipSign = -sign
    _keep_overlays(data_set, None if is_resized else stored, notes, is_resized=is_resized)
    if is_resized:
        places = [keyword for keyword in _PLACES if keyword in data_set]
        for keyword in places:
            del data_set[keyword]
        if places:
            notes.append("shutter or collimator left out, as the image was resized")


def set_class(data_set: Any, *, is_enhanced: bool, is_valid: bool) -> None:
    """Make the file a Secondary Capture if one frame cannot have the class of the source.

    A digital X-ray file keeps its class, and states the rescale that the class requires.

    Parameters
    ----------
    data_set : pydicom.Dataset
        The header to be changed.
    is_enhanced : bool
        Whether the source is an enhanced object, with functional groups.
    is_valid : bool
        Whether the source's class is a UID.
    """
    if is_enhanced or not is_valid or str(data_set.SOPClassUID) in _MULTI_FRAME:
        data_set.SOPClassUID = SECONDARY_CAPTURE
        data_set.ConversionType = data_set.get("ConversionType") or "WSD"
    if _is_digital_x_ray(data_set):  # these classes require the three elements
        data_set.RescaleIntercept, data_set.RescaleSlope, data_set.RescaleType = "0", "1", "US"


def state_loss(data_set: Any, loss: Loss | None) -> None:
    """State that the source was lossily compressed; DICOM requires this of derived images."""
    stated = str(data_set.get("LossyImageCompression") or "")
    if loss is None or stated == "01" or (stated == "00" and not loss.is_certain):
        return
    data_set.LossyImageCompression = "01"
    data_set.LossyImageCompressionRatio = f"{loss.ratio:.4g}"
    if loss.method:
        data_set.LossyImageCompressionMethod = loss.method


def scale_spacing(
    data_set: Any,
    old: tuple[int, int],
    new: tuple[int, ...],
    scale: tuple[float, float] | None = None,
) -> None:
    """Scale pixel spacings and aspect ratio, so that distances stay correct in a resized image.

    Parameters
    ----------
    data_set : pydicom.Dataset
        The header to be changed.
    old, new : (int, int)
        Height and width of the image before and after.
    scale : (float, float) or None
        Pixels of the new image per pixel of the old image, down and across, if the new image is
        cropped or padded. None computes the scale as the quotient of the sizes.
    """
    for keyword in SPACINGS:
        spacing = data_set.get(keyword)
        if not isinstance(spacing, Sequence) or len(spacing) != 2:
            continue
        if scale is not None:
            scaled = [float(spacing[axis]) / scale[axis] for axis in (0, 1)]
        elif old != new:
            scaled = [float(spacing[axis]) * old[axis] / new[axis] for axis in (0, 1)]
        else:
            continue
        setattr(data_set, keyword, [f"{value:.10g}" for value in scaled])
    if scale is not None or old != new:
        high, wide = scale or (new[0] / old[0], new[1] / old[1])
        _scale_aspect(data_set, wide / high)


def _scale_aspect(data_set: Any, factor: float) -> None:
    """Multiply the height of pixels relative to their width; remove a value that is no ratio."""
    if "PixelAspectRatio" not in data_set:
        return
    sides = data_set.PixelAspectRatio
    ratio = Fraction(0)
    if isinstance(sides, Sequence) and len(sides) == 2 and all(isinstance(n, int) for n in sides):
        ratio = Fraction(sides[0] / (sides[1] or -1) * factor).limit_denominator(_FINEST_ASPECT)
    if 0 < ratio.numerator <= _MOST_ASPECT:
        data_set.PixelAspectRatio = [ratio.numerator, ratio.denominator]
    else:
        del data_set.PixelAspectRatio


def _is_digital_x_ray(data_set: Any) -> bool:
    return str(data_set.get("SOPClassUID")) in _FOR_PRESENTATION.values()


def _is_reversed(header: DicomHeader) -> bool:
    """Return whether greater stored values are shown darker."""
    if header.samples != 1:
        return False
    table, stored = display_table(header, "auto", []), stored_values(header)
    is_low = stored <= (int(stored.min()) + int(stored.max())) // 2
    return bool(table[is_low].mean() > table[~is_low].mean())


def _keep_overlays(
    data_set: Any, stored: Stored | None, notes: list[str], *, is_resized: bool
) -> None:
    """Move overlays out of the pixels' spare bits into elements; remove unreadable overlays.

    Overlays have the size of the image and are not resized: a resized image loses all of them.
    """
    for group in _OVERLAY_GROUPS:
        overlay = data_set.group_dataset(group)
        has_data = (group, _DATA) in overlay and bool(overlay[group, _DATA].value)
        has_frames = (group, _FRAMES) in overlay and overlay[group, _FRAMES].value not in (None, 1)
        if not len(overlay):
            continue
        if has_data and not has_frames and not is_resized:
            _describe_own_data(data_set, group)
            continue
        size = tuple(overlay[group, place].value if (group, place) in overlay else None
                     for place in (_ROWS, _COLUMNS))  # fmt: skip
        position = overlay[group, _POSITION].value if (group, _POSITION) in overlay else None
        if (
            stored is not None
            and not has_frames
            and size == stored.words.shape
            and isinstance(position, int)
            and _is_overlay(position, stored.header)
        ):
            drawn = (stored.words >> position) & 1
            packed = np.packbits(drawn.astype(np.uint8).reshape(-1), bitorder="little").tobytes()
            data_set.add_new((group, _DATA), "OW", packed + b"\0" * (len(packed) % 2))
            _describe_own_data(data_set, group)
            continue
        for element in list(overlay):
            del data_set[element.tag]
        why = "it has several frames" if has_data else "the file has no data of it that can be read"
        if is_resized:
            why = "the image was resized"
        notes.append(f"overlay ({group:04X},xxxx) left out, as {why}")


def _describe_own_data(data_set: Any, group: int) -> None:
    """State that an overlay has data of its own; otherwise it would be read from the pixels."""
    data_set.add_new((group, _BITS), "US", 1)
    data_set.add_new((group, _POSITION), "US", 0)


def _is_overlay(position: int, header: DicomHeader) -> bool:
    """Return whether a bit of the stored words holds an overlay, and not the image."""
    is_stored = header.high_bit - header.bits_stored < position <= header.high_bit
    return not is_stored and position >= 0 and bool(header.overlay_bits >> position & 1)
