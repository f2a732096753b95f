"""The images of a report: those chosen, as small pictures with what was said of them."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from cxr_models.report.blocks import Block, Gallery, Picture, Table, Text
from cxr_models.report.choices import samples, worst_mistakes
from cxr_models.report.thumbnails import data_uri, overlay_path, thumbnail
from cxr_models.report.words import NONE, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.report.results import Results


def short_name(file: str) -> str:
    """Return the name of a file; of an absolute one its folder and itself alone."""
    path = PurePath(file)
    return "/".join(path.parts[-2:]) if path.is_absolute() else file


class Pictures:
    """Makes galleries; every file is read once.

    Parameters
    ----------
    count : int
        Images of a list, 0 for names and numbers alone.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.shown = 0
        self._uris: dict[str, str | None] = {}

    def fewer(self, count: int) -> Pictures:
        """Return the same with another count, which knows what was read already."""
        other = Pictures(count)
        other._uris = self._uris
        return other

    def mistakes(self, run: Results, name: str) -> list[Block]:
        """Show the worst mistakes on a set."""
        counts = run.evaluation["sets"][name]["confusion"]["counts"]
        wrong = sum(map(sum, counts)) - sum(row[k] for k, row in enumerate(counts))
        if not wrong:
            return [Text(text="No image is said wrong.")]
        caption = f"The surest of {wrong} mistakes on {name}"
        return self._gallery(run, name, worst_mistakes(run, name), caption)

    def samples(self, run: Results, name: str) -> list[Block]:
        """Show some images of every class of a set."""
        return self._gallery(run, name, samples(run, name), f"Images of {name}, drawn at random")

    def _gallery(self, run: Results, name: str, rows: Sequence[int], caption: str) -> list[Block]:
        predictions = run.sets[name]
        outcomes, calibrated = predictions.outcomes(), run.calibrated(name)
        paths = predictions.manifest.paths()
        pictures: list[Picture] = []
        cells = []
        for row in rows:
            record = predictions.manifest.records[row]
            file = short_name(record.file)
            said, true = (run.class_names[k[row]] for k in (outcomes.said, outcomes.targets))
            sure = number(float(calibrated[row].max()))
            image = overlay = None
            if len(pictures) < self.count:
                image = self._uri(paths[row])
                if image is not None:
                    overlay = self._uri(str(overlay_path(run, name, row)))
            pictures.append(
                Picture(
                    file=file,
                    lines=(
                        f"true: {true}",
                        f"said: {said}, {sure}",
                        record.source or "source not stated",
                    ),
                    alt=f"Radiograph {file}, true {true}, said {said}",
                    image=image,
                    overlay=overlay,
                )
            )
            cells.append((file, true, said, sure, record.source or NONE))
        self.shown += sum(picture.image is not None for picture in pictures)
        table = Table(
            caption=caption,
            head=("file", "true", "said", "calibrated probability", "source"),
            rows=tuple(cells),
            words=True,
        )
        blocks: list[Block] = [Gallery(pictures=tuple(pictures), table=table)]
        if any(picture.overlay for picture in pictures):
            blocks.append(
                Text(
                    text="Beside each: where the network's last map speaks for what was said "
                    "(Grad-CAM), from blue to red.",
                    tone="note",
                )
            )
        elif self.count:
            blocks.append(
                Text(
                    text="No Grad-CAM overlays were made of these (cxr-models report --explain).",
                    tone="note",
                )
            )
        if self.count and not any(picture.image for picture in pictures):
            blocks.append(Text(text="The images could not be read from here.", tone="note"))
        return blocks

    def _uri(self, path: str) -> str | None:
        if path not in self._uris:
            try:
                self._uris[path] = data_uri(thumbnail(path))
            except (OSError, ValueError):  # said in the page, which is worth having without them
                self._uris[path] = None
        return self._uris[path]
