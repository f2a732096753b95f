"""``python -m tests.helpers.tiny_program``: `cxr-models` with a backbone of one convolution."""

import sys

from cxr_models.cli import main
from cxr_models.networks import backbones


def build(_spec, *, weights, **inputs):
    from tests.helpers.tiny_backbone import tiny_application  # loads Keras

    return tiny_application(include_top=False, weights=weights, **inputs)


if __name__ == "__main__":
    backbones.BackboneSpec.build = build
    sys.exit(main())
