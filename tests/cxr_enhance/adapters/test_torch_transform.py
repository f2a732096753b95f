"""PyTorch: the library's bytes from tensors and arrays, in pipelines, workers and collation."""

from __future__ import annotations

import collections
import copy
import pickle
from typing import ClassVar, NamedTuple

import numpy as np
import pytest

import cxr_enhance as cxe
from tests.helpers.adapter_contract import AdapterContract
from tests.helpers.compare import assert_same_image
from tests.helpers.images import make_image

torch = pytest.importorskip("torch", reason='needs pip install "cxr-enhance[torch]"')
adapter = pytest.importorskip("cxr_enhance.adapters.torch_transform")
from tests.helpers import torch_samples  # noqa: E402 - after the skips

PARAMS = cxe.EnhanceParams(tile_grid_size=(8, 4), channel_order="bgr")
RGB = cxe.EnhanceParams(tile_grid_size=(8, 4), output="rgb")
LAYOUTS = {
    "array": (np.asarray, None),
    "array with channels last": (np.asarray, "hwc"),
    "array with channels first": (np.asarray, "chw"),
    "tensor": (torch.from_numpy, None),
    "tensor with channels first": (torch.from_numpy, "chw"),
    "tensor with channels last": (torch.from_numpy, "hwc"),
}


class TestContract(AdapterContract):
    adapter, framework, extra = "torch_transform", "torch", "torch"
    forms = (*LAYOUTS, "batch of arrays", "batch of tensors", "collated")
    channels = (None, 1, 3)
    sentences: ClassVar = {
        "dtype": (
            lambda: adapter.EnhanceTransform()(torch.zeros((3, 8, 8), dtype=torch.int64)),
            "`image` must have dtype uint8, uint16, float32 or float64; got int64. For values "
            "0..255, use image.to(torch.uint8); for 0..65535, image.to(torch.uint16).",
        ),
        "shape": (
            lambda: adapter.EnhanceTransform()(torch.zeros((8, 9, 3), dtype=torch.uint8)),
            "`image` must have shape (H, W) or (C, H, W), C being 1 or 3; got (8, 9, 3). Pass "
            "layout='hwc'.",
        ),
        "params": (
            lambda: adapter.EnhanceBatch({}),
            "`params` must be EnhanceParams or None; got dict. Use EnhanceParams.from_dict.",
        ),
    }
    copies: ClassVar = {
        "pickle": lambda made: pickle.loads(pickle.dumps(made)),
        "deepcopy": copy.deepcopy,
    }

    def make(self, params, form):
        if form == "collated":
            return adapter.EnhanceCollate(params, images=None)
        if form.startswith("batch"):
            return adapter.EnhanceBatch(params)
        return adapter.EnhanceTransform(params, layout=LAYOUTS[form][1])

    def call(self, made, image, form):
        if form in LAYOUTS:
            kind, layout = LAYOUTS[form]
            first = layout == "chw" or (layout is None and kind is not np.asarray)
            given = kind(np.moveaxis(image, -1, 0) if image.ndim == 3 and first else image)
            result = made(given)
            assert type(result) is type(given)
            result = np.asarray(result)
            assert result.flags.c_contiguous
        else:
            first = form != "batch of arrays"
            image = np.moveaxis(image, -1, 0) if image.ndim == 3 and first else image
            images = np.stack([image[..., ::-1, :], image])
            given = torch.from_numpy(images) if first else images
            result = np.asarray(made(list(given) if form == "collated" else given))[1]
        return (
            np.ascontiguousarray(np.moveaxis(result, 0, -1))
            if result.ndim == 3 and first
            else result
        )

    def options_of(self, made):
        return repr(made)


def expected(image, params):
    result = cxe.enhance(image, params)
    return result[..., None] if image.ndim == 3 and result.ndim == 2 else result


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


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("params", [PARAMS, RGB], ids=["gray", "rgb"])
def test_three_sizes_are_a_batch_however_narrow_its_images(width, params):
    images = np.stack([make_image("noise", 20, width, seed=i) for i in range(2)])
    wanted = np.stack([cxe.enhance(image, params) for image in images])
    assert_same_image(adapter.EnhanceBatch(params)(images), wanted)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
def test_empty_batches_stay_empty(dtype):
    result = adapter.EnhanceBatch(PARAMS)(torch.zeros((0, 3, 20, 31), dtype=dtype))
    assert torch.equal(result, torch.zeros((0, 1, 20, 31), dtype=dtype))
    assert result.dtype == dtype


def test_compiling_around_a_transform_changes_no_byte():
    image = torch.from_numpy(make_image("radiograph", 33, 40))[None]
    transform = adapter.EnhanceTransform(PARAMS)
    compiled = torch.compile(lambda image: transform(image) + 1, backend="eager")
    assert torch.equal(compiled(image), transform(image) + 1)


def test_what_a_transform_says_of_itself_makes_it_again():
    names = {**vars(adapter), "EnhanceParams": cxe.EnhanceParams}
    for transform in (
        adapter.EnhanceTransform(PARAMS, layout="hwc"),
        adapter.EnhanceBatch(RGB, num_threads=2),
    ):
        assert repr(eval(repr(transform), names)) == repr(transform)
    assert repr(adapter.EnhanceTransform(PARAMS)) == f"EnhanceTransform({PARAMS!r}, layout=None)"
    assert repr(adapter.EnhanceCollate(RGB)) == (
        f"EnhanceCollate(EnhanceBatch({RGB!r}, layout=None, num_threads=1), images=0, "
        "collate_fn=None)"
    )


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


@pytest.mark.parametrize(
    "form", ["tuple", "list", "named tuple", "dict", "ordered dict", "images alone"]
)
def test_collation_finds_the_images_in_samples_of_any_form(form):
    images = [torch.from_numpy(make_image("noise", 20, 31, seed=i)) for i in range(3)]
    make, where = {
        "tuple": (lambda image, i: (i, image), 1),
        "list": (lambda image, i: [image, i], 0),
        "named tuple": (Pair, 0),
        "dict": (lambda image, i: {"scan": image, "label": i}, "scan"),
        "ordered dict": (
            lambda image, i: collections.OrderedDict(scan=image, label=i),
            "scan",
        ),
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
    if form == "ordered dict":
        assert type(batch) is collections.OrderedDict


@pytest.mark.parametrize(
    ("images", "sample", "sentence"),
    [
        (2, ("image", 1), "got 2 for a list with 2"),
        ("scan", {"image": "image"}, "got 'scan' for a dict with ..image.."),
        (0, {"image": "image"}, "got 0 for a dict with ..image.."),
        (0, "image", "None where they are images; got 0 for a Tensor"),
    ],
)
def test_images_that_are_not_where_they_should_be_are_an_error_that_says_what_there_is(
    images, sample, sentence
):
    image = torch.zeros((1, 20, 31), dtype=torch.uint8)
    if isinstance(sample, dict):
        sample = {"image": image}
    elif isinstance(sample, tuple):
        sample = (image, 1)
    else:
        sample = image
    with pytest.raises(ValueError, match=sentence):
        adapter.EnhanceCollate(images=images)([sample])


def test_subclasses_of_tensors_are_kept():
    class Scan(torch.Tensor):
        pass

    image = make_image("radiograph", 20, 31)
    result = adapter.EnhanceTransform()(torch.from_numpy(image).as_subclass(Scan))
    assert type(result) is Scan
    assert_same_image(result.numpy(), cxe.enhance(image))


@pytest.mark.parametrize(
    ("image", "error", "sentence"),
    [
        (torch.zeros((3, 8, 8), device="meta"), TypeError, r"on the CPU; got meta. Use `.cpu\(\)`"),
        ([[0]], TypeError, "`sample` must hold an image: .* got list of int"),
        ("scan.png", TypeError, "must be a tensor or a NumPy array; got str"),
        (torch.zeros((8,), dtype=torch.uint8), ValueError, r"got \(8,\)"),
        (torch.zeros((2, 3, 8, 8), dtype=torch.uint8), ValueError, r"got \(2, 3, 8, 8\)"),
        (np.zeros((3, 8, 9), np.uint8), ValueError, r"\(3, 8, 9\). Pass layout='chw'"),
        (torch.zeros((1, 0, 8), dtype=torch.uint8), ValueError, "at least one pixel"),
        (torch.zeros((8, 8), dtype=torch.uint8).to_sparse(), TypeError, r"Use `.to_dense\(\)`"),
        (torch.zeros((4, 8, 8), dtype=torch.uint8), ValueError, "Drop the alpha channel"),
    ],
)
def test_wrong_images_are_refused(image, error, sentence):
    with pytest.raises(error, match=sentence):
        adapter.EnhanceTransform()(image)


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((8, 8), r"\(N, H, W\) or \(N, C, H, W\), C being 1 or 3; got \(8, 8\)"),
        ((2, 8, 9, 3), r"got \(2, 8, 9, 3\). Pass layout='hwc'"),
    ],
)
def test_wrong_batches_are_refused(shape, sentence):
    with pytest.raises(ValueError, match=sentence):
        adapter.EnhanceBatch()(torch.zeros(shape, dtype=torch.uint8))


def test_wrong_options_are_refused():
    with pytest.raises(TypeError, match=r"`images` must be an int, a str or None; got 1.5"):
        adapter.EnhanceCollate(images=1.5)
    with pytest.raises(TypeError, match="`collate_fn` must be callable or None; got 3"):
        adapter.EnhanceCollate(collate_fn=3)
    with pytest.raises(ValueError, match="`layout` must be 'chw', 'hwc' or None; got 'nchw'"):
        adapter.EnhanceTransform(layout="nchw")
    with pytest.raises(ValueError, match="`num_threads` must be at least 1"):
        adapter.EnhanceCollate(num_threads=0)


@pytest.mark.parametrize("limits", [(0.0, 1.0), (-1.0, 1.0), (0.0, 65535.0)])
@pytest.mark.parametrize("form", ["tensor", "array", "batch", "collated"])
def test_floats_are_the_result_for_their_sixteen_bits(limits, form):
    low, high = limits
    levels = make_image("radiograph", 33, 40, "uint16")
    values = levels * (high - low) / 65535 + low
    wanted = (cxe.enhance(levels) * (high - low) / 65535 + low).astype(np.float32)
    image = values.astype(np.float32)
    if form == "collated":
        collate = adapter.EnhanceCollate(images=None, value_range=limits)
        result = collate([torch.from_numpy(image)])[0].numpy()
    elif form == "batch":
        result = adapter.EnhanceBatch(value_range=limits)(torch.from_numpy(image)[None])[0].numpy()
    else:
        given = image if form == "array" else torch.from_numpy(image)
        result = np.asarray(adapter.EnhanceTransform(value_range=limits)(given))
    assert_same_image(result, wanted)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_taken_where_it_holds_the_levels(dtype):
    image = make_image("radiograph", 33, 40)
    result = adapter.EnhanceTransform(value_range=(0, 255))(torch.from_numpy(image).to(dtype))
    assert result.dtype == dtype
    assert_same_image(result.float().numpy(), cxe.enhance(image).astype(np.float32))
    unit = torch.from_numpy(image).to(dtype) / 255
    with pytest.raises(TypeError, match=r"Use image.to\(torch.float32\)\.$"):
        adapter.EnhanceTransform()(unit)
    cured = unit.to(torch.float32)
    assert_same_image(adapter.EnhanceTransform()(cured).numpy(), enhanced_of_sixteen_bits(cured))


def test_half_precision_holds_eight_bits_of_the_unit_range():
    image = make_image("radiograph", 33, 40)
    given = torch.from_numpy(image).to(torch.float16) / 255
    result = adapter.EnhanceTransform(cxe.EnhanceParams(bits=8))(given)
    assert result.dtype == torch.float16
    wanted = (cxe.enhance(image, cxe.EnhanceParams(bits=8)) / 255).astype(np.float16)
    np.testing.assert_array_equal(result.numpy(), wanted)


def enhanced_of_sixteen_bits(image):
    """Enhance values of 0..1 as the levels of 16 bits that they stand for."""
    levels = np.rint(image.double().numpy() * 65535).astype(np.uint16)
    return (cxe.enhance(levels) / 65535).astype(np.float32)


@pytest.mark.parametrize(
    ("given", "cure"),
    [
        (lambda levels: levels > 99, "image.to(torch.uint8) * 255"),
        (lambda levels: levels.to(torch.int32), "image.to(torch.uint16)"),
        (lambda levels: levels.view(torch.int16), "image.view(torch.uint16)"),
    ],
    ids=["bool", "int32", "int16 that wrapped"],
)
def test_other_dtypes_are_refused_and_the_cure_keeps_the_values(given, cure):
    levels = torch.from_numpy(make_image("radiograph", 33, 40, "uint16"))
    levels = levels if "16" in cure else levels.to(torch.int32)
    image = given(levels)
    with pytest.raises(TypeError, match="`image` must have dtype uint8, uint16") as caught:
        adapter.EnhanceTransform()(image)
    assert cure in str(caught.value)
    cured = eval(cure, {"torch": torch, "image": image})
    wanted = levels if "16" in cure else image * 255
    assert torch.equal(cured.to(torch.int32), wanted.to(torch.int32))
    adapter.EnhanceTransform()(cured)


@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
def test_nested_tensors_are_refused_and_the_cure_enhances_each(layout):
    parts = [torch.from_numpy(make_image("radiograph", h, 40)).float() / 255 for h in (20, 33)]
    image = torch.nested.nested_tensor(parts, layout=layout)
    with pytest.raises(TypeError, match="one dense tensor; got a nested one") as caught:
        adapter.EnhanceTransform()(image)
    cure = str(caught.value).split("Use ")[1].rstrip(".")
    done = eval(cure, {"EnhanceTransform": adapter.EnhanceTransform, "image": image})
    for result, part in zip(done, parts, strict=True):
        assert_same_image(result.numpy(), enhanced_of_sixteen_bits(part))


def test_values_outside_of_the_range_are_refused_with_what_to_write_in_torch():
    image = torch.linspace(-0.1, 1.1, 64).reshape(8, 8)
    with pytest.raises(ValueError, match=r"use image.clip\(0, 1\);"):
        adapter.EnhanceTransform()(image)
    adapter.EnhanceTransform()(image.clip(0, 1))
    with pytest.raises(ValueError, match=r"got 0\.\.255\. Pass value_range=\(0, 255\), or"):
        adapter.EnhanceTransform()(torch.linspace(0, 255, 64).reshape(8, 8))
