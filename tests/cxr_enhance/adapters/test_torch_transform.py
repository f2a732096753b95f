"""PyTorch: the library's bytes from tensors and arrays, in pipelines, workers and collation."""

from __future__ import annotations

import pickle
from typing import NamedTuple

import numpy as np
import pytest

import cxr_enhance as cxe
from tests.compare import assert_same_image
from tests.images import make_image

torch = pytest.importorskip("torch", reason='needs pip install "cxr-enhance[torch]"')
adapter = pytest.importorskip("cxr_enhance.adapters.torch_transform")
from tests.cxr_enhance.adapters import torch_samples  # noqa: E402 - after the skips

PARAMS = cxe.EnhanceParams(tile_grid_size=(8, 4), channel_order="bgr")
RGB = cxe.EnhanceParams(tile_grid_size=(8, 4), output="rgb")


def expected(image, params):
    result = cxe.enhance(image, params)
    return result[..., None] if image.ndim == 3 and result.ndim == 2 else result


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("params", [None, PARAMS, RGB], ids=["study", "grid", "rgb"])
@pytest.mark.parametrize("layout", [None, "chw", "hwc"])
@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy], ids=["array", "tensor"])
def test_images_of_either_kind_and_layout_give_the_bytes_of_enhance(
    kind, channels, params, layout, make
):
    image = make_image("radiograph", 33, 40, kind, channels)
    wanted = expected(image, params)
    first = layout == "chw" or (layout is None and make is not np.asarray)
    if first:
        wanted = np.moveaxis(wanted, -1, 0) if wanted.ndim == 3 else wanted
        image = np.moveaxis(image, -1, 0) if image.ndim == 3 else image
    before = image.copy()
    given = make(image)
    result = adapter.EnhanceTransform(params, layout=layout)(given)
    assert type(result) is type(given)
    assert_same_image(np.asarray(result), wanted)
    assert_same_image(image, before)


@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("params", [None, RGB], ids=["study", "rgb"])
def test_batches_give_the_bytes_of_enhance(channels, params):
    images = np.stack([make_image("noise", 20, 31, channels=channels, seed=i) for i in range(5)])
    wanted = np.stack([expected(image, params) for image in images])
    arrays = adapter.EnhanceBatch(params, num_threads=2)(images)
    assert_same_image(arrays, wanted)
    tensor = torch.from_numpy(images)
    tensor = tensor.permute(0, 3, 1, 2) if channels else tensor
    result = adapter.EnhanceBatch(params)(tensor)
    assert result.is_contiguous()
    wanted = np.moveaxis(wanted, -1, 1) if wanted.ndim == 4 else wanted
    assert_same_image(result.numpy(), wanted)


def test_transforms_survive_pickling():
    image = torch.from_numpy(make_image("radiograph", 33, 40))
    for transform in [
        adapter.EnhanceTransform(PARAMS),
        adapter.EnhanceCollate(PARAMS, images=None),
    ]:
        again = pickle.loads(pickle.dumps(transform))
        given = [image] if isinstance(transform, adapter.EnhanceCollate) else image
        assert torch.equal(again(given), transform(given))
    assert "tile_grid_size=(8, 4)" in repr(adapter.EnhanceTransform(PARAMS))


@pytest.mark.parametrize("start", ["fork", "spawn"])
@pytest.mark.parametrize("where", ["sample", "batch"])
# Python 3.12 warns of every fork of a process that has threads; DataLoader's default is to fork.
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_workers_give_the_same_bytes(start, where):
    sample = adapter.EnhanceTransform(PARAMS) if where == "sample" else None
    loader = torch.utils.data.DataLoader(
        torch_samples.Samples(sample),
        batch_size=3,
        num_workers=2,
        multiprocessing_context=start,
        collate_fn=None if sample else adapter.EnhanceCollate(PARAMS),
    )
    batches = list(loader)
    assert torch.cat([number for _, number in batches]).tolist() == list(range(8))
    images = [make_image("radiograph", 33, 40, channels=3, seed=i) for i in range(8)]
    wanted = np.stack([cxe.enhance(image, PARAMS)[None] for image in images])
    assert_same_image(torch.cat([image for image, _ in batches]).numpy(), wanted)


class Pair(NamedTuple):
    image: object
    label: int


@pytest.mark.parametrize("form", ["tuple", "list", "named tuple", "dict", "images alone"])
def test_collation_finds_the_images_in_samples_of_any_form(form):
    images = [torch.from_numpy(make_image("noise", 20, 31, seed=i)) for i in range(3)]
    make, where = {
        "tuple": (lambda image, i: (i, image), 1),
        "list": (lambda image, i: [image, i], 0),
        "named tuple": (Pair, 0),
        "dict": (lambda image, i: {"scan": image, "label": i}, "scan"),
        "images alone": (lambda image, i: image, None),
    }[form]
    batch = adapter.EnhanceCollate(PARAMS, images=where)(
        [make(image, i) for i, image in enumerate(images)]
    )
    done = batch if where is None else batch[where]
    wanted = np.stack([cxe.enhance(image.numpy(), PARAMS) for image in images])
    assert_same_image(done.numpy(), wanted)
    if form == "named tuple":
        assert batch.label.tolist() == [0, 1, 2]


def test_subclasses_of_tensors_are_kept():
    class Scan(torch.Tensor):
        pass

    scan = torch.zeros((1, 20, 31), dtype=torch.uint8).as_subclass(Scan)
    assert type(adapter.EnhanceTransform()(scan)) is Scan


@pytest.mark.parametrize(
    ("image", "error", "sentence"),
    [
        (torch.zeros((3, 8, 8)), TypeError, "dtype uint8 or uint16; got torch.float32. For values"),
        (torch.zeros((3, 8, 8), device="meta"), TypeError, r"on the CPU; got meta. Use `.cpu\(\)`"),
        ([[0]], TypeError, "must be a tensor or a NumPy array; got list"),
        (torch.zeros((8,), dtype=torch.uint8), ValueError, r"got \(8,\)"),
        (torch.zeros((4, 8, 8), dtype=torch.uint8), ValueError, "Drop the alpha channel"),
    ],
)
def test_wrong_images_are_refused(image, error, sentence):
    with pytest.raises(error, match=sentence):
        adapter.EnhanceTransform()(image)


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="`layout` must be 'chw', 'hwc' or None; got 'nchw'"):
        adapter.EnhanceTransform(layout="nchw")
    with pytest.raises(TypeError, match="`params` must be EnhanceParams or None; got dict"):
        adapter.EnhanceBatch({})
    with pytest.raises(ValueError, match="`num_threads` must be at least 1"):
        adapter.EnhanceCollate(num_threads=0)
