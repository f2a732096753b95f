"""Galleries of images of a report, with the true and the predicted class of each image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models._counts import counted
from cxr_models._heat import colour_bar
from cxr_models.report.blocks import Block, ColourBar, Gallery, Picture, Table, Text
from cxr_models.report.formatting import NONE, number, short_name
from cxr_models.report.images.choices import averaged, samples, worst_mistakes
from cxr_models.report.images.thumbnails import SIDE, data_uri, mean_path, overlay_path, thumbnail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.report.read.results import Results


_BAR_HEIGHT = 12  # height of the colour bar in pixels
_MEANS = (
    "Each picture is the mean of the Grad-CAM maps for the true class, whatever class was "
    "predicted, over the mean of the images as the network takes them. The images are drawn at "
    "random with a fixed seed. Yellow places support the class strongly in most of the images; "
    "where the mean image shows through in gray, nothing supports the class. Yellow corners and "
    "edges show that the network reads something other than lungs; yellow lungs do not show that "
    "the network reads the lungs."
)


def _colours(target: str = "class") -> ColourBar:
    bar = data_uri(colour_bar(_BAR_HEIGHT, SIDE))
    return ColourBar(image=bar, low=f"no support for the {target}", high="strongest in that image")


class Pictures:
    """Builder of galleries, which reads each file once.

    The attribute `shown` counts the images in the galleries, without overlays and mean maps.

    Parameters
    ----------
    count : int
        Largest number of images in a gallery of classes. A gallery of findings has up to 4 times
        as many. 0 gives galleries of names and numbers only.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.shown = 0
        self._uris: dict[str, str | None] = {}

    def fewer(self, count: int) -> Pictures:
        """Return a builder with another `count` that shares all read images; `shown` is 0."""
        pictures = Pictures(count)
        pictures._uris = self._uris
        return pictures

    def mistakes(self, run: Results, name: str) -> list[Block]:
        """Return a gallery of the most confident mistakes on a set."""
        counts = run.evaluation.sets[name].confusion.counts
        wrong = sum(map(sum, counts)) - sum(row[k] for k, row in enumerate(counts))
        if not wrong:
            return [Text(text="Every image is predicted correctly.")]
        caption = f"The most confident of {wrong} mistakes on {name}"
        return self._gallery(run, name, worst_mistakes(run, name), caption)

    def samples(self, run: Results, name: str) -> list[Block]:
        """Return a gallery of some images of every class of a set."""
        return self._gallery(run, name, samples(run, name), f"Images of {name}, drawn at random")

    def means(self, run: Results, name: str) -> list[Block]:
        """Return a gallery of the mean Grad-CAM map of each true class; empty without mean maps."""
        if not self.count:
            return []
        predictions = run.sets[name]
        images_of_class = predictions.outcomes().targets.tolist().count
        pictures, rows = [], []
        for k, averaged_rows in averaged(run, name).items():
            uri = self.uri(str(mean_path(run, name, k)))
            if uri is not None:
                label = run.class_names[k]
                count, images = len(averaged_rows), images_of_class(k)
                line = f"mean of {count} of {counted(images, 'image')}"
                alt = f"Mean Grad-CAM map of {counted(count, 'image')} of {label} on {name}"
                pictures.append(Picture(file=label, lines=(line,), alt=alt, image=uri))
                rows.append((label, f"{count:,}", f"{images:,}"))
        if not pictures:
            return []
        table = Table(
            caption=f"Mean Grad-CAM maps on {name}, by true class",
            head=("true class", "images averaged", "images"),
            rows=tuple(rows),
        )
        gallery = Gallery(pictures=tuple(pictures), table=table)
        return [gallery, _colours(), Text(text=_MEANS, tone="note")]

    def _gallery(self, run: Results, name: str, rows: Sequence[int], caption: str) -> list[Block]:
        predictions = run.sets[name]
        outcomes, calibrated = predictions.outcomes(), run.calibrated(name)
        paths = predictions.manifest.paths()
        pictures: list[Picture] = []
        cells = []
        for row in rows:
            record = predictions.manifest.records[row]
            file = short_name(record.file)
            predicted, true = (
                run.class_names[k[row]] for k in (outcomes.predicted, outcomes.targets)
            )
            probability = number(float(calibrated[row].max()))
            image = overlay = None
            if len(pictures) < self.count:
                image = self.uri(paths[row])
                if image is not None:
                    overlay = self.uri(str(overlay_path(run, name, row)))
            pictures.append(
                Picture(
                    file=file,
                    lines=(
                        f"true: {true}",
                        f"predicted: {predicted}, {probability}",
                        record.source or "source not stated",
                    ),
                    alt=f"Radiograph {file}, true {true}, predicted {predicted}",
                    image=image,
                    overlay=overlay,
                )
            )
            cells.append((file, true, predicted, probability, record.source or NONE))
        self.shown += sum(picture.image is not None for picture in pictures)
        table = Table(
            caption=caption,
            head=("file", "true", "predicted", "calibrated probability", "source"),
            rows=tuple(cells),
            words=True,
        )
        blocks: list[Block] = [Gallery(pictures=tuple(pictures), table=table)]
        if run.config is not None:  # third-party models have no overlays
            blocks += self.overlay_notes(pictures, "the predicted class")
        if self.count and not any(picture.image for picture in pictures):
            blocks.append(Text(text="The images could not be read from here.", tone="note"))
        return blocks

    def overlay_notes(
        self, pictures: Sequence[Picture], subject: str, *, target: str = "class"
    ) -> list[Block]:
        """Return blocks that explain the overlays of a gallery, or how to make overlays.

        The list is empty for a page without images.

        Parameters
        ----------
        pictures : sequence of Picture
            Pictures of the gallery.
        subject : str
            The class or finding that the overlay of an image is for, in words.
        target : str, default "class"
            "class" or "finding", for the text of the colour bar.
        """
        if any(picture.overlay for picture in pictures):
            text = (
                "The copy beside an image shows which places of the network's last feature map "
                f"support {subject} (Grad-CAM): the image itself where no place does, then violet, "
                "red and yellow."
            )
            return [_colours(target), Text(text=text, tone="note")]
        if not self.count:
            return []
        text = "These images have no Grad-CAM overlays (cxr-models report --explain)."
        return [Text(text=text, tone="note")]

    def uri(self, path: str) -> str | None:
        """Return a small copy of an image as a data URI; None if the file cannot be read."""
        if path not in self._uris:
            try:
                self._uris[path] = data_uri(thumbnail(path))
            except (OSError, ValueError):  # the page then shows a note instead of the images
                self._uris[path] = None
        return self._uris[path]
