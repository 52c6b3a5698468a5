"""The settings of the verb report: what the page shows and what is written beside it."""

from dataclasses import dataclass

from screen.groups import REQUIRED, key


@dataclass
class ReportVerb:
    """Write one HTML file with plates, quality, ranked hits, structures and cells.

    Beside report.html, each made anew from the stored tables and proved by verify:
    hits.xlsx (hits, compounds, wells and plates as sheets, with the meaning of every
    column), hits.sdf (structures of what was called or picked), cherry_picks.csv (the
    transfers that bring them to new plates, for an acoustic dispenser) and methods.txt
    (methods with settings, versions and references). The tables as CSV are call's.
    """

    run: str = key(REQUIRED, "name of the run")
    runs: str = key("runs", "folder that holds all runs", "path")
    out: str = key("", "folder of the tables and report; empty = the run's own", "path")
    top: int = key(12, "hits shown as cards", "compounds", low=1, high=1000)
    gallery_top: int = key(
        200, "compounds with cell pictures, and all hits", "compounds", low=0, high=5000
    )
    explanation: str = key(
        "", "folder of the verb explain, whose maps are shown; empty = none", "path"
    )
    cells_per_compound: int = key(
        6, "cell pictures of a compound", "cells", low=0, high=100
    )
    pick_volume_nl: float = key(
        25.0, "volume of each cherry-pick transfer", "nL", low=0.1, high=1e6
    )
    pick_wells: int = key(
        96, "wells of the plates that picks go to", choices=(96, 384, 1536)
    )
    pick_replicates: int = key(
        2, "times each pick is made, on plates of their own", low=1, high=20
    )
    pick_layout: str = key(
        "inner",
        "wells that picks take: inner = the rim and a column inside it on either side"
        " stay free for medium and controls; all = every well",
        choices=("inner", "all"),
    )
