"""Samples as torchvision's v2 passes them: their images are enhanced, the rest is passed on."""

from __future__ import annotations

import collections
from typing import NamedTuple

import numpy as np
import pytest

import cxr_enhance as cxe
from tests.helpers.compare import assert_same_image
from tests.helpers.images import make_image

torch = pytest.importorskip("torch", reason='needs pip install "cxr-enhance[torch]"')
from cxr_enhance.adapters.torch_transform import (  # noqa: E402 - after the skips
    EnhanceBatch,
    EnhanceTransform,
)

ARRAY = make_image("radiograph", 33, 40)
IMAGE = torch.from_numpy(ARRAY)[None]
WANTED = cxe.enhance(ARRAY)[None]


class Pair(NamedTuple):
    image: object
    label: int


@pytest.mark.parametrize(
    "sample",
    [
        (IMAGE, 3),
        [IMAGE, torch.tensor(3)],
        (torch.tensor(3), IMAGE),
        Pair(IMAGE, 3),
        {"label": 3, "image": IMAGE, "name": "scan"},
        collections.OrderedDict(image=IMAGE, label=np.int64(3)),
        ({"image": IMAGE}, [torch.tensor([0.0, 1.0])]),
        (IMAGE, None),
    ],
    ids=lambda sample: type(sample).__name__,
)
def test_the_image_of_a_sample_is_enhanced_and_the_rest_is_the_same(sample):
    flatten = torch.utils._pytree.tree_flatten
    before, structure = flatten(sample)
    result = EnhanceTransform()(sample)
    after, again = flatten(result)
    assert again == structure
    for old, new in zip(before, after, strict=True):
        if old is IMAGE:
            assert_same_image(new.numpy(), WANTED)
        else:
            assert new is old


def test_the_image_and_its_label_may_be_two_arguments():
    image, label = EnhanceTransform()(IMAGE, 3)
    assert label == 3
    assert_same_image(image.numpy(), WANTED)


def test_arrays_are_images_of_samples_too():
    image, label = EnhanceTransform()((ARRAY, 3))
    assert label == 3
    assert_same_image(image, WANTED[0])


def test_of_tensors_that_no_one_marks_the_first_is_the_image():
    mask = torch.ones((33, 40))
    image, same = EnhanceTransform()((IMAGE, mask))
    assert same is mask
    assert_same_image(image.numpy(), WANTED)


def test_a_sample_without_an_image_is_refused():
    with pytest.raises(TypeError, match=r"`sample` must hold an image: .*; got dict of int, str"):
        EnhanceTransform()({"label": 3, "name": "scan"})


def test_transforms_are_steps_of_a_sequence():
    sequence = torch.nn.Sequential(EnhanceTransform(), torch.nn.Identity())
    assert_same_image(sequence(IMAGE).numpy(), WANTED)
    batch = torch.nn.Sequential(EnhanceBatch())(IMAGE[None])
    assert_same_image(batch.numpy(), WANTED[None])
    assert sequence.state_dict() == {}


@pytest.fixture
def v2():
    reason = "needs pip install torchvision"
    return pytest.importorskip("torchvision.transforms.v2", reason=reason)


@pytest.fixture
def tv_tensors():
    reason = "needs pip install torchvision"
    return pytest.importorskip("torchvision.tv_tensors", reason=reason)


def test_pipelines_of_torchvision_pass_samples_of_every_form(v2, tv_tensors):
    image = pytest.importorskip("PIL.Image", reason="needs pip install pillow").fromarray(ARRAY)
    first = v2.Compose([EnhanceTransform(), v2.ToImage()])
    last = v2.Compose([v2.ToImage(), EnhanceTransform()])
    for pipeline in (first, last):
        done = [pipeline(image), pipeline(image, 3)[0], pipeline({"image": image, "y": 3})["image"]]
        for result in done:
            assert type(result) is tv_tensors.Image
            assert_same_image(result.numpy(), WANTED)


def test_masks_and_boxes_are_passed_on(tv_tensors):
    mask = tv_tensors.Mask(torch.ones((33, 40), dtype=torch.uint8))
    boxes = tv_tensors.BoundingBoxes([[0, 0, 9, 9]], format="XYXY", canvas_size=(33, 40))
    sample = {"mask": mask, "boxes": boxes, "image": tv_tensors.Image(IMAGE), "other": IMAGE}
    result = EnhanceTransform()(sample)
    assert all(result[name] is sample[name] for name in ("mask", "boxes", "other"))
    assert_same_image(result["image"].numpy(), WANTED)
    with pytest.raises(TypeError, match="`sample` must hold an image"):
        EnhanceTransform()(mask)


def test_floats_of_torchvision_are_read_in_0_to_1(v2):
    pipeline = v2.Compose([v2.ToDtype(torch.float32, scale=True), EnhanceTransform()])
    levels = make_image("radiograph", 33, 40)
    wanted = cxe.enhance(levels.astype(np.uint16) * np.uint16(257))
    result = pipeline(torch.from_numpy(levels)[None])
    assert_same_image(result.numpy()[0], (wanted / 65535).astype(np.float32))
