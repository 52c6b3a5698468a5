"""One well from its plan: chance, cells, fields, and the truth about them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from plates.synthetic.biology import (
    PlateDrift,
    draw_cells,
    effect_of,
    latent_rate,
    scatter,
    share_out,
)
from plates.synthetic.layout import WellPlan
from plates.synthetic.scene import Studio, photograph

CROWDING = 0.72  # cells keep this share of the spacing of an even, usual lattice


@dataclass(frozen=True)
class WellTruth:
    """What is true of one well: one row for the well, arrays for its cells."""

    row: dict[str, str | int | float | bool | None]
    field: np.ndarray
    y: np.ndarray
    x: np.ndarray
    senescent: np.ndarray
    changed: np.ndarray


class SimulatedWell:
    """A well drawn from its plan and seed; `fields` photographs it, `truth` follows."""

    def __init__(
        self,
        studio: Studio,
        plan: WellPlan,
        drift: PlateDrift,
        seed: np.random.SeedSequence,
    ) -> None:
        self._studio, self._plan, self._drift = studio, plan, drift
        self._rng = np.random.Generator(np.random.SFC64(seed))
        self.effect = effect_of(studio.settings, plan)
        self.rate = latent_rate(studio.settings, plan, self.effect, drift)
        self.cells = draw_cells(
            studio.settings, plan, self.effect, self.rate, self._rng
        )
        self._centres: list[np.ndarray] = []
        self._n_debris = 0

    def fields(self) -> Iterator[np.ndarray]:
        """Yield uint16[c, y, x] field by field."""
        settings = self._studio.settings
        for part in share_out(self.cells, settings.n_fields):
            n = part.age.size
            usual = settings.cells_per_well / settings.n_fields
            distance = CROWDING * settings.field_px / usual**0.5
            centres = scatter(n, settings.field_px, distance, self._rng)
            shot = photograph(
                self._studio,
                self._plan,
                self.effect,
                self._drift,
                part,
                centres,
                self._rng,
            )
            self._centres.append(centres)
            self._n_debris += shot.n_debris
            yield shot.pixels

    def truth(self) -> WellTruth:
        """What was planted; call it once all fields are taken."""
        plan, cells = self._plan, self.cells
        n, n_senescent = int(cells.age.size), int(cells.senescent.sum())
        planted = plan.planted
        centres = np.concatenate(self._centres)
        sizes = [len(part) for part in self._centres]
        return WellTruth(
            row={
                "plate": plan.plate,
                "well": str(plan.well),
                "compound": "" if planted is None else planted.compound,
                "class": "vehicle" if planted is None else planted.kind,
                "concentration_um": None if planted is None else plan.dose_um,
                "state": plan.state,
                "teaching": plan.teaching,
                "n_cells": n,
                "n_senescent": n_senescent,
                "true_fraction": n_senescent / n if n else None,
                "latent_rate": self.rate,
                "n_changed": int(cells.changed.sum()),
                "dead_well": plan.is_dead,
                "unfocused": plan.is_unfocused,
                "debris": self._n_debris,
            },
            field=np.repeat(np.arange(len(sizes)), sizes),
            y=centres[:, 0],
            x=centres[:, 1],
            senescent=cells.senescent,
            changed=cells.changed,
        )
