"""The rescue scale: per plate and network, 0 is the stressed vehicle and 1 the unstressed one, as medians of kept wells."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from screen.groups import AnchorSettings
from screen.statistics.flags import SCORED, SEG_SUSPECT
from screen.statistics.position import Codes
from screen.statistics.robust import Floats, mad_sd
from screen.statistics.rules import CallRules
from screen.statistics.shared_scales import Shared, shared_levels, stacked

GROUP = ("plate", "line", "time_h")
NORMALIZED = "normalized"  # corrected scores beside `score`, where there are any


def anchor_wells(anchor: AnchorSettings) -> pl.Expr:
    """Polars mask of the wells that an anchor names; an empty key accepts every well."""
    named = {
        "role": anchor.role,
        "state": anchor.state,
        "compound": anchor.compound,
    }
    masks = [pl.col(column) == text for column, text in named.items() if text]
    return pl.all_horizontal(pl.lit(True), *masks)


@dataclass(frozen=True)
class Scale:
    """One group's scale: a reason code instead of numbers where no rescue can be given."""

    reason: str
    n_zero: int
    n_one: int
    n_worth: float  # vehicle wells that the zero is worth, with what other plates add
    zero: dict[str, float]
    one: dict[str, float]
    z_centre: dict[str, float]
    z_spread: dict[str, float]
    z_reference: str
    levels: dict[str, tuple[float, ...]]  # of each network: rows of `Levels`


def usable(wells: pl.DataFrame) -> pl.Series:
    """True for wells whose numbers may be used: scored by some network, where any is, and free of excluding flags."""
    n_networks = pl.col("networks").list.len()
    return wells.select(
        pl.col("status").is_in(SCORED)
        # A table of cell numbers alone has no network at all.
        & ((n_networks > 0) | (n_networks.max() == 0))
        & (pl.col("flags").list.len() == 0)
    ).to_series()


def _values(wells: pl.DataFrame) -> str:
    return NORMALIZED if NORMALIZED in wells.columns else "score"


def group_scale(wells: pl.DataFrame, rules: CallRules) -> Scale:
    """The scale of one group (plate, line, time) from its usable anchor wells."""
    groups = wells.select(
        zero=anchor_wells(rules.anchors.senescent),
        one=anchor_wells(rules.anchors.healthy),
        treated=pl.col("role") == "treatment",
        samples=_samples(rules),
    )
    good = usable(wells)
    at_zero, at_one, treated, samples = (
        (good & groups[c]).fill_null(False).to_numpy() for c in groups.columns
    )
    scores, enough = _scores(wells), rules.min_anchor_wells
    zero = {k: v for k, v in scores.by_network(at_zero).items() if v.size >= enough}
    one = {k: v for k, v in scores.by_network(at_one).items() if v.size >= enough}
    reference = zero or scores.by_network(treated)
    spread = {k: mad_sd(v) for k, v in reference.items()}
    return Scale(
        reason=_reason(zero, one, rules.direction),
        n_zero=int(at_zero.sum()),
        n_one=int(at_one.sum()),
        n_worth=float(at_zero.sum()),
        zero={k: float(np.median(v)) for k, v in zero.items()},
        one={k: float(np.median(v)) for k, v in one.items()},
        z_centre={k: float(np.median(v)) for k, v in reference.items()},
        z_spread={k: s for k, s in spread.items() if s > 0},
        z_reference="senescent anchors" if zero else "treatment wells",
        levels=_levels(zero, scores.by_network(samples)),
    )


def _samples(rules: CallRules) -> pl.Expr:
    """Mask of the treatment wells on the cells of the stressed vehicle."""
    state = rules.anchors.senescent.state
    treated = pl.col("role") == "treatment"
    return treated & (pl.col("state") == state) if state else treated


def _levels(
    zero: dict[str, Floats], samples: dict[str, Floats]
) -> dict[str, tuple[float, ...]]:
    none = np.full(1, np.nan)
    return {
        k: tuple(
            float(x)
            for v in (values, samples.get(k, none))
            for x in (np.median(v), mad_sd(v), v.size)
        )
        for k, values in zero.items()
    }


def share_scales(scales: list[Scale]) -> list[Scale]:
    """The scales of one line and time, their zeros and z spreads made surer by each other."""
    found: dict[str, tuple[list[int], Shared]] = {}
    for k in sorted({k for s in scales for k in s.levels}):
        at = [i for i, s in enumerate(scales) if k in s.levels]
        found[k] = at, shared_levels(stacked([scales[i].levels[k] for i in at]))
    for k, (at, shared) in found.items():
        for i, zero, spread, worth in zip(
            at, shared.level, shared.spread, shared.n_worth, strict=True
        ):
            scales[i] = _with_shared(scales[i], k, zero, spread, worth)
    return scales


def _with_shared(
    scale: Scale, network: str, zero: float, spread: float, worth: float
) -> Scale:
    """One network's zero and spread replaced; the least sure network says what a zero is worth."""
    gain = worth / scale.levels[network][2]
    before = scale.n_worth / max(scale.n_zero, 1)
    return replace(
        scale,
        n_worth=scale.n_zero * (gain if before == 1 else min(gain, before)),
        zero=scale.zero | {network: float(zero)},
        z_centre=scale.z_centre | {network: float(zero)},
        z_spread=scale.z_spread | ({network: float(spread)} if spread > 0 else {}),
    )


def _reason(zero: dict[str, Floats], one: dict[str, Floats], direction: str) -> str:
    if not zero and not one:
        return "PLATE_NO_CONTROLS"
    if not zero:
        return "NO_STRESSED_SCALE"
    shared = sorted(set(zero) & set(one))
    if not shared:
        return "NO_HEALTHY_SCALE"
    sign = 1.0 if direction == "lower" else -1.0
    for name in shared:
        gap = sign * float(np.median(zero[name]) - np.median(one[name]))
        error = np.sqrt(
            np.pi / 2 * sum(mad_sd(v[name]) ** 2 / v[name].size for v in (zero, one))
        )
        if gap < -2 * error:
            return "SCALE_INVERTED"
        # Dividing by a window whose interval spans 0 gives numbers without meaning.
        if gap <= 2 * error:
            return "SCALE_COLLAPSED"
    return ""


@dataclass(frozen=True)
class _Scores:
    """The finite scores of a group's wells one after the other: whose [s], by which network [s], and the value [s]."""

    well: Codes
    network: pl.Series
    value: Floats
    n_wells: int

    def by_network(self, wells: npt.NDArray[np.bool_]) -> dict[str, Floats]:
        """The values of some wells [w], by network in the order of first sight; one that is no number would spoil its plate's medians unseen."""
        here = wells[self.well]
        network, value = self.network.filter(pl.Series(here)), self.value[here]
        names = network.drop_nulls().unique(maintain_order=True)
        return {k: value[(network == k).fill_null(False).to_numpy()] for k in names}

    def means(self, values: Floats) -> pl.Series:
        """Of values [s] each well's mean over its networks, NaN left out; null without any."""
        known = np.isfinite(values)
        owner, values = self.well[known], values[known]
        n = np.bincount(owner, minlength=self.n_wells)
        found = np.full(self.n_wells, np.nan)
        for k in np.unique(n[n > 0]):
            found[n == k] = values[n[owner] == k].reshape(-1, k).mean(axis=1)
        return pl.Series(found, dtype=pl.Float64).fill_nan(None)

    def told(self, by: dict[str, float]) -> Floats:
        """What is known of each score's network [s]; NaN where nothing is."""
        names = list(by)
        found = self.network.replace_strict(
            pl.Series(names, dtype=pl.String),
            pl.Series([by[name] for name in names], dtype=pl.Float64),
            default=None,
        )
        return found.fill_null(float("nan")).to_numpy()


def _scores(wells: pl.DataFrame) -> _Scores:
    lists = wells.select("networks", value=_values(wells)).with_row_index("well")
    long = lists.filter(pl.col("networks").list.len() > 0).explode("networks", "value")
    long = long.filter(pl.col("value").is_finite())
    well = long["well"].to_numpy().astype(np.int64)
    return _Scores(well, long["networks"], long["value"].to_numpy(), wells.height)


def _rescue(scores: _Scores, scale: Scale) -> pl.Series:
    if scale.reason:
        return pl.Series([None] * scores.n_wells, dtype=pl.Float64)
    zero, one = scores.told(scale.zero), scores.told(scale.one)
    return scores.means((zero - scores.value) / (zero - one))


def _robust_z(scores: _Scores, scale: Scale, sign: float) -> pl.Series:
    known = {k: v for k, v in scale.z_centre.items() if k in scale.z_spread}
    centre, spread = scores.told(known), scores.told(scale.z_spread)
    return scores.means(sign * (centre - scores.value) / spread)


def scale_group(wells: pl.DataFrame, scale: Scale, rules: CallRules) -> pl.DataFrame:
    """One group's wells with score, score_sd, fraction (network means), rescue, robust_z (positive towards rescue), relative_count."""
    sign = 1.0 if rules.direction == "lower" else -1.0
    scores = _scores(wells)
    per_field = pl.col("n_cells") / pl.col("n_fields").clip(lower_bound=1)
    good = wells.filter(usable(wells)).filter(anchor_wells(rules.anchors.senescent))
    vehicle = good.select(per_field.median()).item() if good.height else None
    measured = pl.col("status").is_in((*SCORED, "NO_CELLS"))
    measured &= ~pl.col("flags").list.contains(SEG_SUSPECT)
    return wells.with_columns(
        pl.lit(max(scale.n_worth, 1.0)).alias("n_zero_worth"),
        _rescue(scores, scale).alias("rescue"),
        _robust_z(scores, scale, sign).alias("robust_z"),
        pl.when(measured)
        .then(per_field / pl.lit(vehicle, dtype=pl.Float64))
        .alias("relative_count"),
        # Half a cell keeps the logarithm of an empty well finite.
        pl.when(measured)
        .then(
            (pl.col("n_cells") + 0.5)
            / pl.col("n_fields").clip(lower_bound=1)
            / pl.lit(vehicle, dtype=pl.Float64)
        )
        .log()
        .alias("log_count"),
        pl.col("score", "score_sd", "fraction").list.mean(),
    ).drop(NORMALIZED, strict=False)


def scale_wells(
    wells: pl.DataFrame, rules: CallRules
) -> tuple[pl.DataFrame, list[tuple[tuple[object, ...], Scale]]]:
    """Every group on its own scale, made surer by the other plates of its line and time, and the scales by group (plate, line, time_h)."""
    groups = [
        (tuple(key), part) for key, part in wells.group_by(GROUP, maintain_order=True)
    ]
    scales = [group_scale(part, rules) for _, part in groups]
    for line in dict.fromkeys(key[1:] for key, _ in groups):
        at = [i for i, (key, _) in enumerate(groups) if key[1:] == line]
        shared = share_scales([scales[i] for i in at])
        for i, scale in zip(at, shared, strict=True):
            scales[i] = scale
    parts = [
        scale_group(part, scale, rules)
        for (_, part), scale in zip(groups, scales, strict=True)
    ]
    keys = [key for key, _ in groups]
    return pl.concat(parts), list(zip(keys, scales, strict=True))
