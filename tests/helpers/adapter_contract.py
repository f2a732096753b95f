"""Tests that every adapter must pass, for any framework, as one class of tests."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cxr_enhance as cxe
from cxr_enhance.synthetic import synthetic_radiograph
from tests.helpers import strategies
from tests.helpers.compare import assert_same_image
from tests.helpers.fresh_process import run_code
from tests.helpers.images import make_image

OPTIONS = {
    "study": None,
    "every-option": cxe.EnhanceParams(
        percentiles=(1.3, 98.9),
        clip_limit=3.5,
        tile_grid_size=(5, 3),
        bit_shift=2,
        channel_order="bgr",
    ),
    "rgb": cxe.EnhanceParams(tile_grid_size=(8, 4), output="rgb"),
    "no-white-balance": cxe.EnhanceParams(tile_grid_size=(8, 4), percentiles=None),
    "no-clahe": cxe.EnhanceParams(clip_limit=None),
    "few-bins": cxe.EnhanceParams(tile_grid_size=(8, 4), num_bins=100),
    "every-value": cxe.EnhanceParams(tile_grid_size=(8, 4), num_bins=None),
}
SENTENCE = r"`[\w.]+` must [^`]+; got [^;]+\."
CURED_SENTENCE = SENTENCE + r" [A-Z].+\."


class AdapterContract:
    """Base class of the tests of an adapter.

    Derive ``class TestContract(AdapterContract)``, set the attributes and define the methods that
    call the adapter.

    Attributes
    ----------
    adapter, framework, extra : str
        Name of the module in ``cxr_enhance.adapters``, of the package that it needs, and of the
        extra that installs this package.
    forms : iterable of str
        Names of the forms in which the adapter accepts an image. The first form is a plain array.
    channels : tuple
        Numbers of channels that images can have: None for shape (H, W), C for shape (H, W, C).
    channels_drawn : tuple, optional
        Numbers of channels of images drawn at random. Needed if images with some of `channels`
        could be mistaken for batches.
    knows_subnormals : bool, default True
        Whether numbers below 2.2e-308 are greater than zero on the threads of the framework.
    keeps_axis : bool, default True
        Whether the result for shape (H, W, C) is (H, W, 1) if `enhance` returns (H, W).
    sentences : dict of str to (callable, str)
        Calls that must raise an error, with the complete sentence of the error. The keys are
        "dtype", "shape" and "params".
    copies : dict of str to callable
        Ways to store and load again the object that `make` returned.
    copied_forms : iterable of str, optional
        Forms for which copies are tested. Without it, all forms are tested.
    """

    channels_drawn = None
    knows_subnormals = True
    keeps_axis = True
    copied_forms = None

    def make(self, params, form):
        """Return an object of the adapter that enhances images of the form `form`."""
        raise NotImplementedError

    def make_for_floats(self, params, form):
        """Return an object that enhances floats in 0..1 with 65,536 levels."""
        return self.make(params, form)

    def call(self, made, image, form):
        """Pass `image` in the form `form` to an object of `make`; return the result as an array."""
        raise NotImplementedError

    def options_of(self, made):
        """Return a value that differs for objects of `make` with different options."""
        raise NotImplementedError

    def expected(self, image, params):
        """Return the result of `enhance` in the shape that the adapter returns."""
        result = cxe.enhance(image, params)
        flattened = image.ndim == 3 and result.ndim == 2
        return result[..., None] if flattened and self.keeps_axis else result

    def pytest_generate_tests(self, metafunc):
        """Run each test for every form, channel, error and copy of the adapter."""
        having = {
            "form": self.forms,
            "copied_form": self.copied_forms or self.forms,
            "channels": self.channels,
            "refused": self.sentences,
            "copy": self.copies,
        }
        for name, values in having.items():
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, list(values))

    @pytest.mark.parametrize("kind", ["uint8", "uint16"])
    @pytest.mark.parametrize("options", OPTIONS)
    def test_an_image_in_every_form_gives_the_bytes_of_enhance(self, form, kind, channels, options):
        image, params = make_image("radiograph", 33, 40, kind, channels), OPTIONS[options]
        result = self.call(self.make(params, form), image, form)
        assert_same_image(result, self.expected(image, params))

    @pytest.mark.parametrize("bins", [256, None])
    def test_values_of_fewer_bits_than_their_type_give_the_bytes_of_enhance(self, bins):
        form, channels = next(iter(self.forms)), self.channels[-1]
        image = make_image("radiograph", 33, 40, "uint16-12bit", channels)
        params = cxe.EnhanceParams(tile_grid_size=(4, 3), num_bins=bins, bits=12)
        result = self.call(self.make(params, form), image, form)
        assert_same_image(result, self.expected(image, params))
        assert result.max() < 4096

    @pytest.mark.parametrize("clip_limit", [2.0, 8.0])
    def test_clahe_of_floats_is_that_of_the_uint8_image_they_stand_for(self, clip_limit):
        """Allow a difference of 1.5 of 255 levels, as albumentations' own tests do."""
        form, channels = next(iter(self.forms)), self.channels[0]
        image = synthetic_radiograph(224, 192, seed=5)
        image = image if channels is None else image[..., None]
        params = cxe.EnhanceParams(percentiles=None, clip_limit=clip_limit, tile_grid_size=(8, 8))
        floats = (image / 255).astype(np.float32)
        result = self.call(self.make_for_floats(params, form), floats, form)
        assert result.dtype == np.float32
        assert np.abs(result * 255.0 - self.expected(image, params)).max() <= 1.5

    @settings(
        max_examples=60,
        deadline=None,
        # Each adapter runs this test in its own class; the classes share no state.
        suppress_health_check=[HealthCheck.differing_executors],
    )
    @given(data=st.data())
    def test_any_image_and_options_give_the_bytes_of_enhance(self, data):
        self.check_any_image(data, strategies.images(self.channels_drawn or self.channels))

    def check_any_image(self, data, images):
        image = data.draw(images)
        options = strategies.options(image.dtype)
        options = options if self.knows_subnormals else options.filter(_has_no_subnormal)
        params = cxe.EnhanceParams(**data.draw(options))
        form = data.draw(st.sampled_from(list(self.forms)))
        result = self.call(self.make(params, form), image, form)
        assert_same_image(result, self.expected(image, params))

    @pytest.mark.parametrize("layout", strategies.LAYOUTS, ids=lambda layout: layout.__name__)
    def test_an_array_in_every_layout_gives_the_bytes_of_enhance(self, layout):
        image, form = make_image("radiograph", 33, 40, "uint16", 3), next(iter(self.forms))
        params = OPTIONS["every-option"]
        result = self.call(self.make(params, form), layout(image), form)
        assert_same_image(result, self.expected(image, params))

    @pytest.mark.parametrize("kind", ["uint8", "uint16"])
    def test_the_image_is_not_modified(self, form, kind, channels):
        image = make_image("radiograph", 33, 40, kind, channels)
        before = image.copy()
        self.call(self.make(OPTIONS["rgb"], form), image, form)
        assert_same_image(image, before)

    def test_what_cannot_be_enhanced_is_refused_with_a_sentence(self, refused):
        call, sentence = self.sentences[refused]
        error = ValueError if refused == "shape" else TypeError
        with pytest.raises(error) as caught:
            call()
        assert sentence in str(caught.value)
        assert re.fullmatch(CURED_SENTENCE if refused == "dtype" else SENTENCE + ".*", sentence)

    def test_sentences_are_known_for_dtype_shape_and_options(self):
        assert list(self.sentences) == ["dtype", "shape", "params"]

    def test_a_copy_has_the_same_options_and_gives_the_same_bytes(self, copied_form, copy):
        image, params = make_image("radiograph", 33, 40, channels=1), OPTIONS["every-option"]
        made = self.make(params, copied_form)
        again = self.copies[copy](made)
        result = self.call(again, image, copied_form)
        assert_same_image(result, self.expected(image, params))
        assert self.options_of(again) == self.options_of(made)

    def test_a_missing_framework_is_named_with_the_command_that_installs_it(self):
        done = run_code(
            f"""
            try:
                import cxr_enhance.adapters.{self.adapter}
            except ImportError as error:
                print(error)
            """,
            without=[self.framework],
        )
        assert done.stdout == (
            f"{self.framework} is needed for cxr_enhance.adapters.{self.adapter}. "
            f'Install it with: pip install "cxr-enhance[{self.extra}]"\n'
        )


def _has_no_subnormal(options):
    numbers = [options["clip_limit"] or 0, *(options["percentiles"] or ())]
    return all(number == 0 or number >= sys.float_info.min for number in numbers)


class StaticShapeContract:
    """Further tests of adapters whose framework infers shapes before it has an image."""

    def static(self, shape, dtype, params):
        """Return the shape and the dtype that the framework infers for the result."""
        raise NotImplementedError

    @pytest.mark.parametrize("dtype", ["uint8", "uint16"])
    @pytest.mark.parametrize("options", ["study", "rgb"])
    def test_the_static_shape_and_dtype_are_those_of_the_result(self, dtype, channels, options):
        image, params = make_image("noise", 33, 40, dtype, channels), OPTIONS[options]
        expected = self.expected(image, params)
        assert self.static(image.shape, dtype, params) == (expected.shape, dtype)

    @pytest.mark.parametrize("options", ["study", "rgb"])
    def test_unknown_sizes_stay_unknown_and_channels_known(self, channels, options):
        image, params = make_image("noise", 33, 40, "uint8", channels), OPTIONS[options]
        last = self.expected(image, params).shape[2:]
        known = self.static((None, None, *image.shape[2:]), "uint8", params)
        assert known == ((None, None, *last), "uint8")
