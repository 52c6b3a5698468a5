"""When a network gives no numbers for valid pixels, too often to be one well's fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from screen.blocks import WellDone
from screen.ledger import headers_of
from screen.provenance import versions, write_json

CODE = "SCORE_NONFINITE"
MAX_SHARE = 0.05


class NonfiniteError(RuntimeError):
    """NaN or infinity for too many wells of a plate: a fault of model or engine."""


class NonfiniteGuard:
    """Counts such wells plate by plate and stops the run above 5 % of one."""

    def __init__(self, run: Path, n_wells: Mapping[str, int], **facts: object) -> None:
        """``n_wells`` are the plates' expected wells; ``facts`` go into the bundle."""
        self._run, self._n_wells, self._facts = run, n_wells, facts
        self._bad: dict[str, set[str]] = {}

    def see(self, results: Sequence[WellDone]) -> None:
        """Count a block's wells; raises NonfiniteError, a bundle to repeat it beside."""
        for done in results:
            if CODE in done.codes:
                wells = self._bad.setdefault(done.plate, set())
                wells.add(done.well)
                if len(wells) > MAX_SHARE * self._n_wells[done.plate]:
                    raise NonfiniteError(self._told(done.plate, sorted(wells)))

    def _told(self, plate: str, wells: list[str]) -> str:
        path = self._run / "nonfinite.json"
        write_json(path, self._bundle(plate, wells))
        share = f"{len(wells)} of {self._n_wells[plate]} wells"
        return f"{CODE} {plate}: {share} got NaN or infinity; to repeat it: {path}"

    def _bundle(self, plate: str, wells: list[str]) -> dict[str, Any]:
        """What a maintainer needs, without pixels."""
        headers = headers_of(self._run, [plate])
        fields = {h["well"]: h["fields"] for h in headers if h["well"] in wells}
        return {"plate": plate, "fields": fields, **self._facts, "versions": versions()}
