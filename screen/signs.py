"""What the pixels of a compound's wells say against it, and whether its structure says the same."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from plates.fluorophores import suspicion_of
from screen.statistics.rules import CallRules

SUSPECT, BRIGHT = "FLUORESCENCE_SUSPECT", "CHANNEL_BRIGHT"
DoseRow = dict[str, Any]
COLUMNS: dict[str, Any] = {
    "channel_z": pl.Float64,
    "bright_channel": pl.Int64,
    "saturation_z": pl.Float64,
    "focus_z": pl.Float64,
    "interference_seen": pl.String,
    "interference_agrees": pl.Boolean,
}


@dataclass(frozen=True)
class Signs:
    """A compound's interference: each sign in words, '' where there is none."""

    background: str = ""
    channel: str = ""
    saturation: str = ""
    focus: str = ""
    chemistry: str = ""  # what makes it a dye or a DNA binder
    alert: str = ""  # the first of its structural alerts

    @property
    def shines(self) -> str:
        """Where light is seen that may be the compound's own."""
        return self.background or self.channel

    @property
    def agrees(self) -> bool:
        """Whether pixels and structure both say that it shines."""
        return bool(self.shines and self.chemistry)

    @property
    def artefact(self) -> str:
        """What makes the compound an artefact, '' if nothing does.

        A brighter channel alone does not: a stain may rise by biology, and only the
        background is free of cells.
        """
        if self.background or self.agrees:
            return self.shines + self._because
        return self.saturation or self.focus

    @property
    def _because(self) -> str:
        if self.chemistry:
            return f", and its structure or name says the same: {self.chemistry}"
        return f"; structural alert {self.alert}" if self.alert else ""

    @property
    def seen(self) -> str:
        """All that the pixels show."""
        told = (self.background, self.channel, self.saturation, self.focus)
        return "; ".join(filter(None, told))

    @property
    def flags(self) -> set[str]:
        """The codes that follow."""
        found = {BRIGHT} if self.channel else set[str]()
        return found | ({SUSPECT} if self.background or self.chemistry else set())


def signs_of(
    part: list[DoseRow], rules: CallRules, chemistry: str = "", alert: str = ""
) -> Signs:
    """The signs of one compound's dose rows: at some dose the mean z is beyond the limit
    and the least of its wells beyond a third of it."""
    limit = rules.background_z_max
    dose = _first(part, "background_z", limit)
    background = channel = saturation = ""
    if dose is not None:
        z = dose["background_z"]
        background = f"the background is brighter than in the vehicle (z {z:.0f})"
    if (dose := _first(part, "channel_z", limit)) is not None:
        which, z = dose["bright_channel"], dose["channel_z"]
        channel = f"channel {which} is brighter than in both vehicles (z {z:.0f})"
    if (dose := _first(part, "saturation_z", limit)) is not None:
        z = dose["saturation_z"]
        saturation = f"more pixels are saturated than in both vehicles (z {z:.0f})"
    blurred = any(
        d["n_measured"] >= 2 and d["n_unfocused"] == d["n_measured"] for d in part
    )
    focus = "every replicate is out of focus" if blurred else ""
    return Signs(background, channel, saturation, focus, chemistry, alert)


def _first(part: list[DoseRow], column: str, limit: float) -> DoseRow | None:
    for dose in part:
        mean, least = dose[column], dose[f"{column}_low"]
        if mean is not None and mean > limit and least > limit / 3:
            return dose
    return None


def sign_columns(part: list[DoseRow], signs: Signs) -> dict[str, Any]:
    """Of a compound the columns of COLUMNS: the dose whose channel is the brightest, the
    highest saturation and the lowest focus."""
    bright = [d for d in part if d["channel_z"] is not None]
    top = max(bright, key=lambda d: float(d["channel_z"]), default=None)
    return {
        "channel_z": top["channel_z"] if top else None,
        "bright_channel": top["bright_channel"] if top else None,
        "saturation_z": max(_values(part, "saturation_z"), default=None),
        "focus_z": min(_values(part, "focus_z"), default=None),
        "interference_seen": signs.seen,
        "interference_agrees": signs.agrees,
    }


def _values(part: list[DoseRow], column: str) -> list[float]:
    return [d[column] for d in part if d[column] is not None]


def chemistry_of(listed: pl.DataFrame) -> dict[str, tuple[str, str]]:
    """For each compound why its structure or name makes it shine, and its first alert; both '' without.

    `listed` has compound, name, parent_smiles and alerts, as the library gives them.
    """
    rows = listed.select("compound", "name", "parent_smiles", "alerts").iter_rows()
    return {
        compound: (
            suspicion_of(smiles, compound, name),
            (alerts or "").split(";")[0].strip(),
        )
        for compound, name, smiles, alerts in rows
    }
