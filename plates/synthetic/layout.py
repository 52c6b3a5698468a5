"""Which well holds what: control columns, shuffled treatments, the plate map."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import polars as pl

from plates.synthetic.compounds import PlantedCompound
from plates.synthetic.settings import SimulateSettings
from plates.wells import PlateFormat, Well


@dataclass(frozen=True)
class WellPlan:
    """What one well of one plate holds; `planted` is None in a control well."""

    plate: str
    plate_index: int
    well: Well
    state: str
    planted: PlantedCompound | None
    dose_um: float
    is_edge: bool
    teaching: bool
    is_dead: bool
    is_unfocused: bool
    chance: float  # well-to-well deviation of the senescent rate, sd units
    crowd: float  # well-to-well deviation of the log cell number, sd units


def plan_plate(
    settings: SimulateSettings,
    compounds: tuple[PlantedCompound, ...],
    plate_index: int,
    *,
    layout_rng: np.random.Generator,
    accident_rng: np.random.Generator,
) -> tuple[WellPlan, ...]:
    """Lay one plate out, row by row; replicate plates share `layout_rng` or not."""
    fmt = PlateFormat.of(settings.n_wells)
    controls = {column - 1: i for i, column in enumerate(settings.control_columns)}
    doses = [(c, dose) for c in compounds for dose in c.doses_um]
    treatment_wells = [w for w in fmt.wells() if w.column not in controls]
    order = layout_rng.permutation(len(doses)).tolist()
    held = {w: doses[i] for w, i in zip(treatment_wells, order, strict=True)}
    n_dead, n_bad = settings.n_dead_wells, settings.n_dead_wells + settings.n_unfocused
    bad = accident_rng.permutation(len(treatment_wells))[:n_bad].tolist()
    dead = {treatment_wells[i] for i in bad[:n_dead]}
    unfocused = {treatment_wells[i] for i in bad[n_dead:]}
    chance = _chances(fmt, settings, accident_rng)
    crowd = _chances(fmt, settings, accident_rng)
    plans = []
    for well in fmt.wells():
        planted, dose = held.get(well, (None, 0.0))
        index = controls.get(well.column)
        plans.append(
            WellPlan(
                plate=f"P{plate_index + 1:02d}",
                plate_index=plate_index,
                well=well,
                state="stressed" if index is None else control_state(well.row, index),
                planted=planted,
                dose_um=dose,
                is_edge=well.is_edge(fmt),
                teaching=index is not None
                and settings.style == "nuclei"
                and is_teaching(well.row, index),
                is_dead=well in dead,
                is_unfocused=well in unfocused,
                chance=chance[well],
                crowd=crowd[well],
            )
        )
    return tuple(plans)


def _chances(
    fmt: PlateFormat, settings: SimulateSettings, rng: np.random.Generator
) -> dict[Well, float]:
    # Stratified within each kind of well: all seeds make screens of the same
    # difficulty. 32 free draws would move the spread of the vehicle by 12 %, and by
    # chance tie crowding to a state in the wells that teach.
    columns = {column - 1: i for i, column in enumerate(settings.control_columns)}
    groups: dict[tuple[str, bool], list[Well]] = {}
    for well in fmt.wells():
        index = columns.get(well.column)
        if index is None:
            kind = ("treatment", False)
        else:
            kind = (control_state(well.row, index), is_teaching(well.row, index))
        groups.setdefault(kind, []).append(well)
    chances: dict[Well, float] = {}
    for wells in groups.values():
        n = len(wells)
        ranks = (rng.permutation(n) + rng.uniform(0.05, 0.95, n)) / n
        chances |= {
            well: NormalDist().inv_cdf(rank)
            for well, rank in zip(wells, ranks.tolist(), strict=True)
        }
    return chances


def control_state(row: int, index: int) -> str:
    """State of a control well: a chequerboard over rows and control columns."""
    # Columns 1 and 24 (index 0 and 3) must differ, or the rim holds one state.
    return "unstressed" if (row + index) % 2 == 0 else "stressed"


def is_teaching(row: int, index: int) -> bool:
    """Whether a control well teaches: half of each state, over all rows and columns."""
    return (row // 2 + index) % 2 == 0


def map_frame(settings: SimulateSettings, plans: list[WellPlan]) -> pl.DataFrame:
    """Return the plate map as text, as a lab would hand it over: no truth in it."""
    rows = [
        {
            "plate": p.plate,
            "well": str(p.well),
            "compound": "" if p.planted is None else p.planted.compound,
            "concentration_um": "" if p.planted is None else f"{p.dose_um:.6g}",
            "role": "vehicle" if p.planted is None else "treatment",
            "state": p.state,
            "replicate": str(p.plate_index + 1),
            "batch": "B1",
        }
        | ({"teaching": str(p.teaching).lower()} if settings.style == "nuclei" else {})
        for p in plans
    ]
    return pl.DataFrame(rows)
