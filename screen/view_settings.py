"""The settings of view: which run is looked at, and where the browser finds it."""

from dataclasses import dataclass

from screen.groups import REQUIRED, key


@dataclass
class ViewVerb:
    """Look at a run's report and at any of its wells in full, in a browser.

    Serves this machine alone and only reads: fields at full resolution with channels,
    contrast and cells by score, also while the run is still scoring. Ctrl-C ends it.
    """

    run: str = key(REQUIRED, "name of the run")
    runs: str = key("runs", "folder that holds all runs", "path")
    campaign: str = key("", "campaign; empty = the one the run scored", "path")
    out: str = key("", "folder of the tables and report; empty = the run's own", "path")
    well: str = key("", "PLATE/WELL that is opened, as P01/A03; empty = the report")
    port: int = key(
        8765, "where it listens; the next free one if taken", low=1024, high=65535
    )
    open_browser: bool = key(True, "open the browser where there is a screen")

    def check(self) -> None:
        """Raise ValueError when the well is none."""
        if self.well:
            place_of(self.well)


def place_of(text: str) -> tuple[str, str]:
    """Plate and well of ``P01/A03``; raises ValueError for anything else."""
    from plates.wells import Well

    plate, slash, well = text.rpartition("/")
    if not (plate and slash):
        raise ValueError(f"well must be PLATE/WELL, such as P01/A03, got {text!r}")
    return plate, str(Well.parse(well))
