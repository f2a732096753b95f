"""Find the input files and the output path of each; nothing is decoded or written here.

All output names are chosen before any work starts, from the set of all inputs. They therefore do
not depend on the order of the inputs, on the order in which images are finished, or on the shards.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import zlib
from typing import TYPE_CHECKING, NamedTuple

from cxr_enhance.archive._names import Naming, key
from cxr_enhance.archive.outcome import Outcome
from cxr_enhance.archive.planned_files import PlannedFiles
from cxr_enhance.io.atomic import is_temporary
from cxr_enhance.io.folders import walk_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclasses.dataclass(slots=True)
class Plan:
    """The files of a run, and the inputs that are not files.

    Parameters
    ----------
    files : PlannedFiles
        The files, in the order of the inputs; the files of a folder are sorted by name.
    problems : list of Outcome
        Failures: inputs that do not exist, folders that cannot be listed, targets that are inputs.
    skipped : list of Outcome
        Pipes, sockets and devices found in folders.
    linked_folders : list of str
        Symbolic links to folders found in folders; they are not entered, so that no loop is
        possible and nothing outside the inputs is read.
    roots : list of str
        Folders that hold the inputs: each input folder, the folder of each input file, and the
        innermost folder that holds all listed files.
    """

    files: PlannedFiles
    problems: list[Outcome] = dataclasses.field(default_factory=list)
    skipped: list[Outcome] = dataclasses.field(default_factory=list)
    linked_folders: list[str] = dataclasses.field(default_factory=list)
    roots: list[str] = dataclasses.field(default_factory=list)

    def add_problem(self, path: str, reason: str) -> None:
        """Note an input that cannot be read; another run may be able to read it."""
        self.problems.append(Outcome(path, "", "failed", reason, transient=True))

    def report_in_first_shard(self, shard: Shard | None) -> None:
        """Remove problems and skipped files in all shards but the first, which reports them."""
        if shard is not None and shard.number > 1:
            self.problems, self.skipped = [], []


class Shard(NamedTuple):
    """Part `number` of `total`, counted from 1."""

    number: int
    total: int


def plan_files(
    inputs: Sequence[str],
    out: str,
    extension: str,
    *,
    listed: Sequence[str] = (),
    shard: Shard | None = None,
    flat_names: bool = False,
    name_key: bytes | None = None,
) -> Plan:
    """Plan the enhancement of `inputs`, files or folders, into the folder `out`.

    The output of a file ``name.ext`` is ``out/name`` with the new `extension`. The tree of an input
    folder is kept below `out`. If several inputs would have the same output name, the input's
    extension is added to each of these names: ``a.jpg`` and ``a.png`` become ``a_jpg.png`` and
    ``a_png.png``. Names are compared without case, as some file systems do. To names that are still
    equal, the name of the input folder is added, and then a few digits of a hash of the input's
    path. The hash uses only as much of the path as is needed to make the names differ.

    Parameters
    ----------
    inputs : sequence of str
        Files and folders; folders are read with all subfolders, except `out` itself. A file that
        is reached twice is planned once.
    out : str
        Output folder; need not exist.
    extension : str
        Extension of the outputs, with its dot.
    listed : sequence of str
        Further files. The plan does not check that they exist: a missing file fails when it is
        read. The tree below the innermost folder that holds all listed files is kept.
    shard : Shard, optional
        Part of the files to plan; None plans all files. Parts are disjoint, and output names do not
        depend on the parts. The part of a file depends only on its relative name.
    flat_names : bool
        True names outputs by 32 hexadecimal digits of a hash of the input's name below its folder;
        they are in folders named by the first two digits. False names outputs by the input's name.
    name_key : bytes or None
        HMAC-SHA256 key of the hashes of `flat_names`; None uses SHA-256 of the name without a key.

    Returns
    -------
    Plan
    """
    plan = Plan(PlannedFiles(out, Naming(extension, flat_names, name_key)))
    files = plan.files
    index_of: dict[str, int] | None = None
    if listed or len(inputs) > 1:
        index_of = {}
    for path in inputs:
        for source, cut, root, is_named_by_user in _find(path, out, plan):
            _add(files, index_of, source, cut, root, is_named_by_user)
    roots = {path if os.path.isdir(path) else os.path.dirname(path) or "." for path in inputs}
    if listed:
        common = _common_folder(listed)
        roots.add(common)
        for source, cut, root in _below_folder(common, listed):
            _add(files, index_of, source, cut, root, True)
    plan.roots = sorted(roots)
    del index_of
    files.choose_names()
    _drop_outputs_that_are_inputs(plan)
    if shard is not None:
        files.keep([i for i in range(len(files)) if _is_in_shard(files.origin(i).relative, shard)])
        plan.report_in_first_shard(shard)
    return plan


def _add(
    files: PlannedFiles,
    index_of: dict[str, int] | None,
    source: str,
    cut: int,
    root: str,
    is_named_by_user: bool,
) -> None:
    if index_of is not None:
        path = os.path.abspath(source)
        index = index_of.setdefault(source if path == source else path, len(files))
        if index < len(files):
            files.add_path(index, source, cut, root, is_named_by_user=is_named_by_user)
            return
    files.add(source, cut, root, is_named_by_user=is_named_by_user)


def _find(path: str, out: str, plan: Plan) -> Iterator[tuple[str, int, str, bool]]:
    if os.path.isdir(path):
        root = os.path.basename(os.path.abspath(path))
        cut = len(os.path.join(path, ""))
        for source in _walk(path, out, plan):
            yield source, cut, root, False
    elif os.path.isfile(path):
        folder = os.path.basename(os.path.dirname(os.path.abspath(path)))
        yield path, len(path) - len(os.path.basename(path)), folder, True
    elif os.path.exists(path):
        plan.add_problem(path, "is neither a file nor a folder.")
    else:
        plan.add_problem(path, "does not exist.")


def _below_folder(folder: str, listed: Sequence[str]) -> Iterator[tuple[str, int, str]]:
    root = os.path.basename(folder)
    cut = len(os.path.join(folder, ""))
    for path in listed:
        absolute = os.path.abspath(path)
        if path.endswith(absolute[cut:]):  # false of paths such as a/../b, which are made absolute
            yield path, len(path) - len(absolute) + cut, root
        else:
            yield absolute, cut, root


def _common_folder(paths: Sequence[str]) -> str:
    """Find the innermost folder that holds all `paths`; fast for a million paths."""
    common = os.path.dirname(os.path.abspath(paths[0]))
    prefix = os.path.join(common, "")
    for path in paths:
        absolute = path if path.startswith(prefix) else os.path.abspath(path)
        if not absolute.startswith(prefix) or "/../" in absolute:
            common = os.path.commonpath([common, os.path.dirname(os.path.abspath(path))])
            prefix = os.path.join(common, "")
    return common


def _walk(top: str, out: str, plan: Plan) -> Iterator[str]:
    """Yield the files below `top`, except those in `out`; add all other entries to `plan`."""
    out_status = os.stat(out) if os.path.isdir(out) else None

    def skip(entry: os.DirEntry[str]) -> bool:
        return is_temporary(entry.name) or _is_folder(entry, out_status)

    for entry in walk_folder(top, skip):
        if entry.kind == "file":
            yield entry.path
        elif entry.kind == "linked folder":
            plan.linked_folders.append(entry.path)
        elif entry.kind == "special":
            plan.skipped.append(Outcome(entry.path, "", "skipped", "neither a file nor a folder"))
        else:
            plan.add_problem(entry.path, f"cannot be listed: {entry.reason}.")


def _is_folder(entry: os.DirEntry[str], status: os.stat_result | None) -> bool:
    """Return whether an entry is the folder that `status` describes."""
    try:
        return (
            status is not None
            and entry.is_dir(follow_symlinks=False)
            and os.path.samestat(
                os.stat(entry.path), status
            )  # entries of Windows have no file number
        )
    except OSError:  # a folder that may not be entered: `walk_folder` reports it later
        return False


def _drop_outputs_that_are_inputs(plan: Plan) -> None:
    files = plan.files
    resolved_folder = functools.cache(_resolved_folder)

    def resolved_path(path: str) -> str:
        folder, name = os.path.split(path)
        return os.path.join(resolved_folder(folder), key(name))

    # An input may be a link; the file that the link points to is an input too.
    sources = [files.source(i) for i in range(len(files))]
    linked = [os.path.realpath(source) for source in sources if os.path.islink(source)]
    input_folders = {resolved_folder(os.path.dirname(path)) for path in (*sources, *linked)}
    suspects = [
        i
        for i in range(len(files))
        if resolved_folder(os.path.dirname(files.target(i))) in input_folders
    ]
    if not suspects:
        return
    input_paths = {resolved_path(path) for path in (*sources, *linked)}
    dropped = {i for i in suspects if resolved_path(files.target(i)) in input_paths}
    for index in sorted(dropped):
        target = files.target(index)
        reason = f"the output {target!r} would replace an input. Choose another output folder."
        plan.add_problem(files.source(index), reason)
    files.keep([i for i in range(len(files)) if i not in dropped])


def _resolved_folder(folder: str) -> str:
    """Return a folder's path with all links resolved."""
    return key(os.path.realpath(folder))


def _is_in_shard(relative: str, shard: Shard) -> bool:
    return zlib.crc32(os.fsencode(relative)) % shard.total == shard.number - 1
