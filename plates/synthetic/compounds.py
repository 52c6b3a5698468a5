"""The planted compounds: class, strength and dose response of each."""

from dataclasses import dataclass

import numpy as np

from plates.synthetic.chemistry import draw_structures
from plates.synthetic.settings import KINDS, SimulateSettings

# What `strength` means, and the range it is drawn from: see `biology.effect_of`.
STRENGTHS = {
    "inert": (0.0, 0.0),
    "toxic": (0.60, 0.95),
    "senolytic": (0.65, 0.95),
    "dilution": (1.9, 3.0),
    "cytostatic": (0.50, 0.75),
    "inducer": (0.55, 0.95),
    "other": (0.80, 1.0),
    "artefact": (0.8, 2.0),
}
SUBCLASSES = {
    "other": ("shrunken", "vacuolated", "stain_shifted"),
    "artefact": ("nucleus", "body"),
}
WEAK_BELOW = 0.5  # a rescue under half of the window is a weak one


@dataclass(frozen=True)
class PlantedCompound:
    """One virtual compound and the truth about it."""

    compound: str
    name: str
    smiles: str
    kind: str
    subclass: str
    strength: float
    ec50_um: float
    hill: float
    doses_um: tuple[float, ...]  # highest first

    def response(self, dose_um: float) -> float:
        """Hill response, scaled so that the highest dose gives exactly 1."""
        return self._hill(dose_um) / self._hill(self.doses_um[0])

    def _hill(self, dose_um: float) -> float:
        return float(1.0 / (1.0 + (self.ec50_um / dose_um) ** self.hill))


def plant_compounds(
    settings: SimulateSettings, rng: np.random.Generator
) -> tuple[PlantedCompound, ...]:
    """Draw all compounds; name, number of doses and class are independent."""
    n = settings.n_compounds
    structures = draw_structures(n, rng)
    kinds = [kind for kind in KINDS for _ in range(getattr(settings, f"n_{kind}"))]
    strengths = np.concatenate([_strengths(settings, k, rng) for k in KINDS])
    subclasses = [name for kind in KINDS for name in _subclasses(settings, kind)]
    n_doses = _doses_each(settings, rng)
    order = rng.permutation(n).tolist()
    return tuple(
        PlantedCompound(
            compound=f"C{i + 1:04d}",
            name=structures[i][0],
            smiles=structures[i][1],
            kind=kinds[k],
            subclass=subclasses[k],
            strength=float(strengths[k]),
            ec50_um=settings.top_dose_um * float(rng.uniform(0.08, 0.25)),
            hill=float(rng.uniform(1.0, 1.8)),
            doses_um=tuple(
                settings.top_dose_um / settings.dose_step**d for d in range(n_doses[i])
            ),
        )
        for i, k in enumerate(order)
    )


def _doses_each(settings: SimulateSettings, rng: np.random.Generator) -> list[int]:
    wells = settings.n_wells - settings.n_rows * len(settings.control_columns)
    base, extra = divmod(wells, settings.n_compounds)
    more = rng.permutation(settings.n_compounds) < extra
    return [base + int(flag) for flag in more]


def _strengths(
    settings: SimulateSettings, kind: str, rng: np.random.Generator
) -> np.ndarray:
    n = int(getattr(settings, f"n_{kind}"))
    if kind == "rescue":
        n_weak = round(n * settings.rescue_weak_share)
        return np.concatenate(
            [
                _stratified(settings.rescue_min, WEAK_BELOW, n_weak, rng),
                _stratified(WEAK_BELOW, settings.rescue_max, n - n_weak, rng),
            ]
        )
    return _stratified(*STRENGTHS[kind], n, rng)


def _stratified(
    low: float, high: float, n: int, rng: np.random.Generator
) -> np.ndarray:
    # One draw in each of n equal parts: every screen spans the whole range.
    return low + (high - low) * (np.arange(n) + rng.random(n)) / max(n, 1)


def _subclasses(settings: SimulateSettings, kind: str) -> list[str]:
    names = SUBCLASSES.get(kind, ("",))
    n = int(getattr(settings, f"n_{kind}"))
    channels = settings.channels
    if kind == "artefact":
        names = tuple(name for name in names if name in channels) or channels
    return [names[i % len(names)] for i in range(n)]
