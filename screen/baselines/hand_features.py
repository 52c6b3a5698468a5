"""Hand-made shape, intensity and texture features of one masked cell a crop."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.feature import graycomatrix, graycoprops, local_binary_pattern
from skimage.filters import gaussian
from skimage.measure import label, regionprops
from skimage.morphology import disk, white_tophat

Crop = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Pixels = NDArray[np.float64]
Values = dict[str, float]

OBJECT_LEVEL = 12  # grey value that JPEG ringing around a masked nucleus stays under
PERCENTILES = (5, 25, 50, 75, 95)
GRANULE_RADII = (1, 2, 4)
GREY_STEPS = 32
LBP_POINTS = 8
RINGS = 4
MARGIN_PX = 4
MIN_OBJECT_PX = 9  # a smaller object has no axes and no texture

SHAPE = (
    "area",
    "perimeter",
    "eccentricity",
    "solidity",
    "extent",
    "major_axis",
    "minor_axis",
    "form_factor",
    "feret",
    "hull_dents",
    "hu1",
    "hu2",
)
INTENSITY = (
    "mean",
    "sd",
    "skewness",
    "total",
    "cv",
    "off_centre",
    *(f"p{q}" for q in PERCENTILES),
)
GLCM = ("contrast", "homogeneity", "energy", "correlation")
GLCM_STEPS = (1, 4)
TEXTURE = (
    *(f"glcm{d}_{name}" for d in GLCM_STEPS for name in GLCM),
    *(f"lbp{i}" for i in range(LBP_POINTS + 2)),
    *(f"granules{r}" for r in GRANULE_RADII),
    "gradient",
    "gradient_sd",
    "roughness",
    "spots",
    "spot_density",
    "entropy",
)
RADIAL = (*(f"ring{i}" for i in range(RINGS)), "ring_slope")
FEATURES: tuple[str, ...] = SHAPE + INTENSITY + TEXTURE + RADIAL


def hand_features(crops: NDArray[np.uint8], *, level: int = OBJECT_LEVEL) -> Pixels:
    """Features f64[n f] in the order of FEATURES, of crops u8[n y x] masked to about 0.

    The object is the largest one above `level`, its holes filled. Lengths are in pixels,
    intensities in grey values; a crop without an object is all zeros.
    """
    rows = [_of_crop(crop, level) for crop in crops]
    table = np.array(rows, np.float64).reshape(len(rows), len(FEATURES))
    return np.nan_to_num(table, nan=0.0, posinf=0.0, neginf=0.0)


def object_mask(crop: Crop, level: int = OBJECT_LEVEL) -> Mask:
    """The largest object above a grey level, its holes filled; may be empty."""
    parts = label(crop > level, connectivity=1)
    sizes = np.bincount(parts.ravel())
    if sizes.size < 2:
        return np.zeros(crop.shape, np.bool_)
    filled = ndimage.binary_fill_holes(parts == 1 + int(np.argmax(sizes[1:])))
    return np.asarray(filled, np.bool_)


def _of_crop(crop: Crop, level: int) -> list[float]:
    mask = object_mask(crop, level)
    if mask.sum() < MIN_OBJECT_PX:
        return [0.0] * len(FEATURES)
    ys, xs = np.nonzero(mask)
    window = (
        slice(max(0, ys.min() - MARGIN_PX), ys.max() + MARGIN_PX + 1),
        slice(max(0, xs.min() - MARGIN_PX), xs.max() + MARGIN_PX + 1),
    )
    mask = mask[window]
    grey = np.where(mask, crop[window], 0).astype(np.float64)
    values = {
        **_shape(mask),
        **intensity(grey, mask),
        **texture(grey, mask),
        **_radial(grey, mask),
    }
    return [values[name] for name in FEATURES]


def _shape(mask: Mask) -> Values:
    region: Any = regionprops(mask.astype(np.uint8))[0]
    area, perimeter = float(region.area), float(region.perimeter)
    return {
        "area": area,
        "perimeter": perimeter,
        "eccentricity": float(region.eccentricity),
        "solidity": float(region.solidity),
        "extent": float(region.extent),
        "major_axis": float(region.axis_major_length),
        "minor_axis": float(region.axis_minor_length),
        "form_factor": 4 * np.pi * area / max(perimeter, 1.0) ** 2,
        "feret": float(region.feret_diameter_max),
        "hull_dents": float(region.area_convex - area) / max(perimeter, 1.0),
        "hu1": float(region.moments_hu[0]),
        "hu2": float(region.moments_hu[1]),
    }


def intensity(grey: Pixels, mask: Mask) -> Values:
    """The features named in INTENSITY of the grey values f64[y x] under a mask."""
    inside = grey[mask]
    mean, sd = float(inside.mean()), float(inside.std())
    weighed = np.array(ndimage.center_of_mass(grey))
    plain = np.array(ndimage.center_of_mass(mask.astype(np.float64)))
    return {
        "mean": mean,
        "sd": sd,
        "skewness": float(((inside - mean) ** 3).mean() / max(sd, 1e-6) ** 3),
        "total": float(inside.sum()),
        "cv": sd / max(mean, 1e-6),
        "off_centre": float(np.hypot(*(weighed - plain)) / np.sqrt(mask.sum())),
        **{f"p{q}": float(np.percentile(inside, q)) for q in PERCENTILES},
    }


def texture(grey: Pixels, mask: Mask) -> Values:
    """The features named in TEXTURE of the grey values f64[y x] under a mask."""
    inside = grey[mask]
    low, high = np.percentile(inside, (1, 99))
    even = np.clip((grey - low) / max(high - low, 1.0), 0, 1)
    core = ndimage.binary_erosion(mask, iterations=2)
    core = core if core.any() else mask
    smooth = gaussian(even, 1.0)
    steep = np.hypot(ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1))[core]
    share = np.bincount((even[mask] * (GREY_STEPS - 1)).astype(int)) / inside.size
    spots = _spots(smooth, core)
    return {
        **_glcm(even, mask),
        **_patterns(even, core),
        **_granules(grey, mask),
        "gradient": float(np.square(steep).mean()),
        "gradient_sd": float(steep.std()),
        "roughness": float(np.abs(even - smooth)[core].mean()),
        "spots": float(spots),
        "spot_density": spots / float(core.sum()),
        "entropy": float(-(share[share > 0] * np.log2(share[share > 0])).sum()),
    }


def _glcm(even: Pixels, mask: Mask) -> Values:
    # Level 0 is the outside: its pairs are dropped, so that area does not leak in.
    steps = np.where(mask, 1 + (even * (GREY_STEPS - 1)).astype(np.uint8), 0)
    angles = (0.0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
    pairs = graycomatrix(
        steps.astype(np.uint8), GLCM_STEPS, angles, GREY_STEPS + 1, symmetric=True
    )
    pairs = pairs[1:, 1:].sum(3, keepdims=True).astype(np.float64)
    pairs /= np.maximum(pairs.sum((0, 1), keepdims=True), 1.0)
    props = {name: graycoprops(pairs, name)[:, 0] for name in GLCM}
    return {
        f"glcm{d}_{name}": float(props[name][i])
        for i, d in enumerate(GLCM_STEPS)
        for name in GLCM
    }


def _patterns(even: Pixels, core: Mask) -> Values:
    steps = (even * 255).astype(np.uint8)
    codes = local_binary_pattern(steps, LBP_POINTS, 1.0, "uniform")[core].astype(int)
    share = np.bincount(codes, minlength=LBP_POINTS + 2) / codes.size
    return {f"lbp{i}": float(share[i]) for i in range(LBP_POINTS + 2)}


def _granules(grey: Pixels, mask: Mask) -> Values:
    mean = max(float(grey[mask].mean()), 1e-6)
    return {
        f"granules{r}": float(white_tophat(grey, disk(r))[mask].mean()) / mean
        for r in GRANULE_RADII
    }


def _spots(smooth: Pixels, core: Mask) -> int:
    peaks = (smooth == ndimage.maximum_filter(smooth, 5)) & core
    height = smooth - ndimage.uniform_filter(smooth, 9)
    return int((peaks & (height > 0.08)).sum())


def _radial(grey: Pixels, mask: Mask) -> Values:
    depth = ndimage.distance_transform_edt(mask)
    inside, level = grey[mask], max(float(grey[mask].mean()), 1e-6)
    share = depth[mask] / max(float(depth.max()), 1e-6)
    ring = np.minimum((share * RINGS).astype(int), RINGS - 1)
    total = np.bincount(ring, inside, RINGS) / level
    means = total / np.maximum(np.bincount(ring, minlength=RINGS), 1)
    slope = np.polyfit(share, inside / level, 1)[0] if np.ptp(share) > 0 else 0.0
    rings = {f"ring{i}": float(means[i]) for i in range(RINGS)}
    return {**rings, "ring_slope": float(slope)}
