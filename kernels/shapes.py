"""The array shapes the kernels speak in, named once."""

from typing import NamedTuple

from jaxtyping import Array, Bool, Float32, Int32, Key, UInt8, UInt16

Field = UInt16[Array, "c y x"] | UInt8[Array, "c y x"]
"""One field as the camera wrote it: channel, row, column; native endian."""

Planes = Float32[Array, "c y x"]
Plane = Float32[Array, "y x"]
Image = Float32[Array, "y x c"]
"""A normalised field, binned, channels last."""

Crops = Float32[Array, "b s s c"]
Centres = Float32[Array, "k 2"]
Labels = Int32[Array, " b"]
Weights = Float32[Array, " b"]
PerChannel = Float32[Array, " c"]
Scalar = Float32[Array, ""]
Count = Int32[Array, ""]
Flag = Bool[Array, ""]
PRNGKey = Key[Array, ""]


class FieldQuality(NamedTuple):
    """What a field's channels are like; no number has a unit but span (counts).

    slope: of log power on log frequency, the lower the more blurred. local_variance:
    share of the variance within squares of two pixels, at two pixels each; lower when
    blurred. debris: share of the area. span: largest less smallest mean of two by two
    pixels.
    """

    slope: Float32[Array, " c"]
    local_variance: Float32[Array, " c"]
    debris: Float32[Array, " c"]
    span: Float32[Array, " c"]


class FoundField(NamedTuple):
    """What one look at a field gives; the first n_cells rows of centres are cells.

    image is normalised and binned; centres are (y, x) and radius is estimated, in
    full-resolution pixels;
    background, mean, sd are in counts; focus and saturated have no unit;
    noise is the pixel noise of the finder's channel in counts; at_capacity says
    that more than max_cells were there and the weakest were left out.
    """

    image: Float32[Array, "y x c"]
    centres: Float32[Array, "k 2"]
    radius: Float32[Array, " k"]
    valid: Bool[Array, " k"]
    n_cells: Int32[Array, ""]
    at_capacity: Bool[Array, ""]
    background: Float32[Array, " c"]
    mean: Float32[Array, " c"]
    sd: Float32[Array, " c"]
    focus: Float32[Array, " c"]
    saturated: Float32[Array, " c"]
    noise: Float32[Array, ""]
    quality: FieldQuality
