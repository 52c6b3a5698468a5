# mypy: disable-error-code="misc, no-any-return, import-not-found, import-untyped"
"""Deep-SeSMo in Keras, as it was published, for the bench of forward passes.

Layers and defaults are those of Keras 3 on TensorFlow. Both are extras (pip install
tensorflow-cpu==2.21.0); nothing of the program imports this file.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from keras import Model, Sequential, layers
from numpy.typing import NDArray

CONVOLUTIONS = ("conv1", "conv2", "conv3", "conv4")
DENSE = ("dense", "head")

Forward = Callable[[], Any]
"""Logits [b 2] of the crops it was made for."""


def sesmo(network: Any, n_channels: int, crop_px: int) -> Model:
    """The network with the weights of ours."""
    model = Sequential(
        [
            layers.Input((crop_px, crop_px, n_channels)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.5),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Conv2D(128, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(256, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(2),
        ]
    )
    model.set_weights(weights_of(network))
    return model


def weights_of(network: Any) -> list[NDArray[np.float32]]:
    """Kernels and biases of ours, layer by layer: both keep y, x, in, out."""
    found = [getattr(network, name) for name in (*CONVOLUTIONS, *DENSE)]
    return [np.asarray(a) for one in found for a in (one.kernel, one.bias)]


def ways(model: Model, crops: NDArray[np.float32]) -> dict[str, Forward]:
    """How a user of Keras runs it on crops [b y x c]: by ``predict``, and as a function
    that TensorFlow makes a graph of, without and with XLA."""
    placed = tf.constant(crops)

    def plain(x: Any) -> Any:
        return model(x, training=False)

    graph, xla = tf.function(plain), tf.function(plain, jit_compile=True)
    return {
        "predict": lambda: model.predict(crops, len(crops), verbose=0),
        "graph": lambda: graph(placed),
        "xla": lambda: xla(placed),
    }
