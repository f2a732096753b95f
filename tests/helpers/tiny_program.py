"""``python -m tests.helpers.tiny_program``: `cxr-models` with a backbone with one convolution."""

import sys

from cxr_models.cli import _framework, main

load_framework = _framework.load_framework


def load_with_tiny_backbone(*packages):
    """Load Keras as the program does, and replace NASNetMobile with the tiny backbone."""
    names = load_framework(*packages)
    import keras

    from tests.helpers.tiny_backbone import tiny_application

    keras.applications.NASNetMobile = tiny_application
    return names


if __name__ == "__main__":
    _framework.load_framework = load_with_tiny_backbone
    sys.exit(main())
