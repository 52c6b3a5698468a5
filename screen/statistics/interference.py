"""Signs of a compound's own light in the pixels of its wells, each a z against the vehicle wells of the same plate.

What biology does must not look so. More cells give more light but no more a cell; dying
cells give more light a cell but less in all; a change of state ends at the other vehicle.
So light counts only where both the whole and that of a cell rise above both vehicles.
"""

import numpy as np
import polars as pl

from screen.statistics.flags import SCORED, channel_matrix
from screen.statistics.replicates import UNIT
from screen.statistics.robust import Floats, mad_sd, small_sample_factor
from screen.statistics.rules import CallRules

STATES = ("stressed", "unstressed")
MIN_VEHICLE = 4  # measured vehicle wells of a state, below which it is no reference


def pixel_signs(wells: pl.DataFrame, rules: CallRules) -> pl.DataFrame:
    """All wells with `channel_z`, `bright_channel` (from 1 on) and `saturation_z`, each plate against itself; row order kept."""
    parts = wells.partition_by("plate", maintain_order=True)
    return pl.concat([_of_plate(part, rules) for part in parts])


def _of_plate(wells: pl.DataFrame, rules: CallRules) -> pl.DataFrame:
    scored = wells["status"].is_in(SCORED)
    measured = scored & (wells["n_cells"] >= rules.min_cells).fill_null(False)
    vehicle = measured & (wells["role"] == "vehicle")
    references = [(vehicle & (wells["state"] == s)).to_numpy() for s in STATES]
    measures = [channel_matrix(wells[c]) for c in ("mean", "background", "saturated")]
    n_channels = min(m.shape[1] for m in measures)
    mean, background, saturated = (m[:, :n_channels] for m in measures)
    cells = (wells["n_cells"] / wells["n_fields"].clip(lower_bound=1)).to_numpy()
    use = measured.to_numpy()
    light, number = _worst(
        channel_z(_known(mean - background, use), cells, references, rules)
    )
    over, _ = _worst(
        saturation_z(_known(saturated, use), _known(mean, use), references, rules)
    )
    return wells.with_columns(
        pl.Series("channel_z", light, dtype=pl.Float64).fill_nan(None),
        pl.Series("bright_channel", number, dtype=pl.Int64, strict=False),
        pl.Series("saturation_z", over, dtype=pl.Float64).fill_nan(None),
    )


def _known(values: Floats, use: np.ndarray) -> Floats:
    return np.asarray(np.where(use[:, None], values, np.nan))


def channel_z(
    light: Floats, cells: Floats, references: list[np.ndarray], rules: CallRules
) -> Floats:
    """How far each channel's light above its background [well channel] lies above both vehicles; NaN where unknown.

    A z of the light a cell, in log; never beyond the limit unless the whole light rises
    by `channel_rise_min` too. Channels whose vehicle wells have no light above their
    background, as in transmitted light, have none.
    """
    floor = float(np.log1p(rules.channel_rise_min)) / rules.background_z_max
    whole = np.log(np.where(light > 0, light, np.nan))
    single = whole - np.log(np.maximum(cells, 1e-9))[:, None]
    z = np.full(light.shape, np.nan)
    for c in range(light.shape[1]):
        dark = [np.isnan(whole[r, c]).mean() > 0.1 for r in references if r.any()]
        if any(dark):
            continue
        of_cell = _above_all(single[:, c], references, floor)
        of_well = _rise_above_all(whole[:, c], references) / floor
        z[:, c] = np.minimum(of_cell, of_well)
    return z


def saturation_z(
    saturated: Floats, mean: Floats, references: list[np.ndarray], rules: CallRules
) -> Floats:
    """How far each channel's share of saturated pixels [well channel] lies above both vehicles; 0 where its light does not rise; NaN where unknown.

    Condensed nuclei of dying cells saturate as well, but their wells are no brighter.
    """
    floor = rules.saturation_rise_min / rules.background_z_max
    z = np.full(saturated.shape, np.nan)
    for c in range(saturated.shape[1]):
        rises = _rise_above_all(mean[:, c], references)
        above = _above_all(saturated[:, c], references, floor)
        z[:, c] = np.where(rises > 0, above, np.minimum(above, 0.0))
    return z


def _enough(values: Floats, references: list[np.ndarray]) -> list[Floats]:
    found = [values[r & np.isfinite(values)] for r in references]
    return [v for v in found if v.size >= MIN_VEHICLE]


def _above_all(values: Floats, references: list[np.ndarray], floor: float) -> Floats:
    """The least z against any reference, its sd at least `floor`; NaN without one."""
    found = [
        (values - np.median(v)) / max(mad_sd(v) * small_sample_factor(v.size), floor)
        for v in _enough(values, references)
    ]
    return np.min(found, axis=0) if found else np.full(values.shape, np.nan)


def _rise_above_all(values: Floats, references: list[np.ndarray]) -> Floats:
    """The value above the highest median of any reference; NaN without one."""
    found = [float(np.median(v)) for v in _enough(values, references)]
    return values - max(found) if found else np.full(values.shape, np.nan)


def _worst(z: Floats) -> tuple[Floats, list[int | None]]:
    """The highest z of each well and its channel, from 1 on."""
    if z.shape[1] == 0:
        return np.full(len(z), np.nan), [None] * len(z)
    ranked = np.where(np.isfinite(z), z, -np.inf)
    best = ranked.max(axis=1)
    at = ranked.argmax(axis=1) + 1
    known = np.isfinite(best)
    number = [int(c) if k else None for c, k in zip(at, known, strict=True)]
    return np.where(known, best, np.nan), number


def with_dose_signs(
    doses: pl.DataFrame, wells: pl.DataFrame, rules: CallRules
) -> pl.DataFrame:
    """The dose table with the mean and the least of its wells' signs, their mean focus_z and the channel that most often is the brightest."""
    treated = pl.col("role") == "treatment"
    if rules.anchors.senescent.state:
        treated &= pl.col("state") == rules.anchors.senescent.state
    key = [*UNIT, "concentration_um"]
    told = (
        wells.filter(treated)
        .group_by(key)
        .agg(
            pl.col("channel_z", "saturation_z", "focus_z").mean(),
            pl.col("channel_z", "saturation_z").min().name.suffix("_low"),
            pl.col("bright_channel").drop_nulls().mode().min(),
        )
    )
    return doses.join(
        told,
        on=key,
        how="left",
        nulls_equal=True,
        validate="1:1",
        maintain_order="left",
    )
