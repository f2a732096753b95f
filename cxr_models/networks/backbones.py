"""The three backbones: a row each; a further one is a further row.

Imports Keras only when a backbone is built.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneSpec:
    """What is particular to one backbone of `keras.applications`.

    Parameters
    ----------
    application : str
        Its function in `keras.applications`.
    preprocessing : {"tf", "caffe"}
        What its ImageNet weights expect of RGB 0..255: -1..1, or BGR less ImageNet's mean.
    min_size : int
        Smallest height and width, in pixels.
    parameters : int
        Parameters without the top.
    weights_file : str
        What Keras calls its ImageNet weights without the top, under ``~/.keras/models``.
    """

    application: str
    preprocessing: Literal["tf", "caffe"]
    min_size: int
    parameters: int
    weights_file: str

    def build(self, *, weights: str | None, **inputs: Any) -> Any:
        """Build the backbone without top; `inputs` is `input_shape` or `input_tensor`."""
        import keras

        function = getattr(keras.applications, self.application)
        return function(include_top=False, weights=weights, **inputs)


BACKBONES: Mapping[str, BackboneSpec] = MappingProxyType(
    {
        "nasnet_mobile": BackboneSpec(
            application="NASNetMobile",
            preprocessing="tf",
            min_size=32,
            parameters=4_269_716,
            weights_file="nasnet_mobile_no_top.h5",
        ),
        "resnet101": BackboneSpec(
            application="ResNet101",
            preprocessing="caffe",
            min_size=32,
            parameters=42_658_176,
            weights_file="resnet101_weights_tf_dim_ordering_tf_kernels_notop.h5",
        ),
        "inception_resnet_v2": BackboneSpec(
            application="InceptionResNetV2",
            preprocessing="tf",
            min_size=75,
            parameters=54_336_736,
            weights_file="inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        ),
    }
)
