"""The settings of explain: which cells, by which method, and how maps are proved."""

# ruff: noqa: RUF009 - key() returns dataclass fields, made once a class

from dataclasses import dataclass

from screen.groups import key

METHODS = ("integrated_gradients", "grad_cam", "guided_grad_cam", "occlusion")
SANITY = ("randomisation", "deletion", "planted_cue")


@dataclass
class ExplainVerb:
    """Tell how one compound's row came to be; or show where in its cells a model sees the state.

    With compound= and run= prints the compound's way from its wells' records to its
    verdict. With model= draws maps, for compounds and their controls:

    writes explanation.parquet and .csv, a row per compound and measure with intervals
    over wells, explanation.html with the maps and with checks of the maps, and
    explanation_cells.parquet with single cells and their maps, for the report.
    """

    compound: str = key("", "compound of the run= whose row is explained")
    model: str = key("", "model of the verb train, whose maps are drawn", "path")
    campaign: str = key("", "campaign with the wells; this or crops", "path")
    crops: str = key("", "folder of labelled crops; this or campaign", "path")
    crops_group: str = key(
        "source_image", "column with the group of a crop, which stands for its well"
    )
    crops_filter: str = key("", "column=value that a crop must have; empty = all")
    compounds: list[str] = key(
        [],
        "compounds (of crops: labels); empty = the run's top hits, or controls alone",
    )
    run: str = key("", "called run whose hits and best doses are taken; empty = none")
    runs: str = key("runs", "folder that holds all runs", "path")
    top: int = key(3, "hits of the run", "compounds", low=1, high=1000)
    dose_um: float = key(
        0.0, "dose of the wells; 0 = the run's best dose, or all doses", "uM", low=0
    )
    out: str = key("", "folder written to; empty = explanations/CAMPAIGN", "path")
    method: str = key(
        "integrated_gradients", "how pixels get their share", choices=METHODS
    )
    stages: list[str] = key(
        [], "map stages whose Grad-CAM is drawn; empty = all that the network has"
    )
    output: str = key(
        "",
        "class or grade that is explained, by name or number; empty = the scored class,"
        " all borders of grades, or the value",
    )
    steps: int = key(
        64, "steps of integrated gradients and deletion", "steps", low=4, high=1024
    )
    patch_px: int = key(
        4, "square that occlusion covers, half of it a stride", "px", low=1, high=256
    )
    baseline: float = key(0.0, "value of a pixel that says nothing", "scale")
    wells: int = key(
        12, "most wells of a compound, and of a plate's controls", "wells", low=1
    )
    cells_per_well: int = key(
        24, "cells drawn from a well; 0 = all", "cells", low=0, high=1000000
    )
    shown: int = key(4, "single cells in the page", "cells", low=0, high=32)
    sanity: list[str] = key(list(SANITY), "checks of the maps", choices=SANITY)
    level: float = key(0.95, "of intervals", low=0.5, high=0.999)
    draws: int = key(2000, "draws of the bootstrap over wells", low=100, high=100000)
    seed: int = key(1, "seed of what is drawn", low=0, high=2**31 - 1)
    minibatch: int = key(
        32, "cells in one call of the network", "cells", low=1, high=4096
    )
    allow_pixel_size: bool = key(
        False, "explain plates of another pixel size than the model learnt at"
    )

    def check(self) -> None:
        """Raise ValueError unless a compound of a run is given, or a model with one
        source of cells, and a run only with a campaign."""
        if self.compound:
            if not self.run:
                raise ValueError(
                    "compound=NAME needs run=NAME, the run that was called"
                )
            if self.model or self.campaign or self.crops:
                raise ValueError(
                    "compound= explains a row, model= draws maps: give one"
                )
            return
        if not self.model:
            raise ValueError("give model=FOLDER for maps, or compound=NAME run=NAME")
        if bool(self.campaign) == bool(self.crops):
            raise ValueError("give campaign=FOLDER or crops=FOLDER, one of the two")
        if self.run and not self.campaign:
            raise ValueError("run= goes with campaign= only")
