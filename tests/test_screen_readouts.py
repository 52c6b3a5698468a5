"""Calling read-outs of other programs, from the table to the tables; real screens among them."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from plates.problems import InputError
from plates.readouts import Readouts
from screen import call
from screen.codes import ExitCode
from screen.errors import Outcome, Refusal
from screen.explain_settings import ExplainVerb
from screen.passport import explain_compound
from screen.readouts import score_table
from screen.settings import CallVerb

REAL = Path(__file__).parents[1].parent / "shared/data"
real = [
    pytest.mark.real,
    pytest.mark.skipif(not REAL.exists(), reason="no real data in ../shared/data"),
]
MAP = "plate,well,compound,concentration_um,role,state,replicate,batch\n"
ROWS, COLUMNS = "ABCDEFGH", 12


def screen_files(folder: Path, *, value: bool, cells: bool) -> tuple[Path, Path]:
    """Two plates of 96 wells with 24 unstressed vehicle wells each, and 12 compounds in
    three wells a plate: up ends high at a like number, killer loses nine of ten cells."""
    rng = np.random.default_rng(7)
    lines, layout = [], []
    for plate in ("P1", "P2"):
        for i in range(96):
            well = f"{ROWS[i % 8]}{i // 8 + 1:02d}"
            treated = i % 4 != 0
            name = f"c{i % 12 if i < 48 else (i * 5) % 12}" if treated else ""
            name = {"c1": "up", "c2": "killer"}.get(name, name)
            score = rng.normal(0.3, 0.03) + 0.4 * (name == "up")
            count = rng.poisson(400 * (0.1 if name == "killer" else 1))
            cell = [f"{score:.4f}"] * value + [str(count)] * cells
            lines.append(",".join([plate, well, *cell]))
            role = "treatment" if treated else "vehicle"
            dose = "1" if treated else ""
            layout.append(f"{plate},{well},{name},{dose},{role},unstressed,1,b")
    header = ["plate", "well", *["value"] * value, *["cells"] * cells]
    table, plate_map = folder / "table.csv", folder / "map.csv"
    table.write_text("\n".join([",".join(header), *lines]), encoding="utf-8")
    plate_map.write_text(MAP + "\n".join(layout) + "\n", encoding="utf-8")
    return table, plate_map


def called(folder: Path, **keys: object) -> tuple[Outcome, pl.DataFrame]:
    """The outcome of a call and its compounds."""
    kinds = {k: bool(keys.pop(k, True)) for k in ("value", "cells")}
    table, plate_map = screen_files(folder, **kinds)
    settings = CallVerb(
        table=str(table),
        map=[str(plate_map)],
        runs=str(folder / "runs"),
        **keys,  # type: ignore[arg-type]
    )
    settings.check()
    outcome = call.run(settings)
    return outcome, pl.read_parquet(folder / "runs/table/compounds.parquet")


def class_of(compounds: pl.DataFrame, name: str) -> tuple[str, bool]:
    """Class and hit of a compound."""
    row = compounds.filter(compound=name)
    return row["class"][0], row["is_hit"][0]


def test_a_table_with_values_and_cells_is_called(tmp_path: Path) -> None:
    outcome, compounds = called(tmp_path, direction="higher")

    assert outcome.code == ExitCode.COMPLETE
    assert class_of(compounds, "up") == ("inducer", True)
    assert class_of(compounds, "killer") == ("toxic", False)
    others = compounds.filter(~pl.col("compound").is_in(["up", "killer"]))
    assert set(others["class"]) == {"inactive"}


def test_without_cell_numbers_the_value_alone_is_called(tmp_path: Path) -> None:
    _, compounds = called(tmp_path, cells=False, direction="higher")

    assert class_of(compounds, "up") == ("inducer", True)
    assert class_of(compounds, "killer") == ("inactive", False)
    assert compounds["relative_count"].is_null().all()


def test_cell_numbers_alone_are_called(tmp_path: Path) -> None:
    _, compounds = called(tmp_path, value=False)

    assert class_of(compounds, "killer") == ("toxic", True)
    assert set(compounds["class"]) <= {"toxic", "proliferative", "inactive"}
    assert compounds["rescue"].is_null().all()


def test_every_expected_well_has_one_row(tmp_path: Path) -> None:
    called(tmp_path)
    hits = pl.read_parquet(tmp_path / "runs/table/hits.parquet")

    assert hits.select("plate", "well").n_unique() == hits.height == 192


def test_an_empty_cell_quarantines_its_well() -> None:
    frame = pl.DataFrame(
        {
            "plate": ["P"] * 3,
            "well": ["A01", "A02", "A03"],
            "value": [0.5, None, None],
            "sd": [None] * 3,
            "cells": [9.0, 5.0, 0.0],
            "positive": [3.0, None, None],
        },
        schema_overrides={"sd": pl.Float64},
    )
    scores = score_table(Readouts(frame, "t.csv", {}))

    assert scores["status"].to_list() == ["SCORED", "QUARANTINED", "NO_CELLS"]
    assert scores["codes"].to_list() == [[], ["READOUT_MISSING"], []]
    assert scores["fraction"].to_list() == [[3 / 9], [], []]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"table": "t.csv"}, "needs map=FILE"),
        ({"map": ["m.csv"]}, "must go with table=FILE"),
        ({"table": "t.csv", "map": ["m.csv"], "campaign": "c"}, "not both"),
    ],
)
def test_a_table_needs_its_map_and_no_campaign(
    keys: dict[str, object], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        CallVerb(**keys).check()  # type: ignore[arg-type]


def test_a_misspelt_name_of_a_column_is_refused(tmp_path: Path) -> None:
    table, plate_map = screen_files(tmp_path, value=True, cells=True)
    settings = CallVerb(
        table=str(table), map=[str(plate_map)], table_columns=["valeu:value"]
    )

    with pytest.raises(Refusal, match=r"'valeu' is none of .* did you mean 'value'"):
        call.run(settings)


def test_a_plate_that_the_map_lacks_is_refused(tmp_path: Path) -> None:
    table, plate_map = screen_files(tmp_path, value=True, cells=True)
    text = plate_map.read_text(encoding="utf-8").replace("P2,", "P-2,")
    plate_map.write_text(text, encoding="utf-8")
    settings = CallVerb(
        table=str(table), map=[str(plate_map)], runs=str(tmp_path / "runs")
    )

    with pytest.raises(
        InputError, match=r"MAP_PLATE_UNKNOWN.*'P2'.*did you mean 'P-2'"
    ):
        call.run(settings)
    assert not (tmp_path / "runs").exists()


def test_a_compound_says_how_its_row_came_to_be(tmp_path: Path) -> None:
    called(tmp_path, direction="higher")
    text = explain_compound(str(tmp_path / "runs"), "table", "up").message

    assert text.startswith("up: inducer, a hit, row 1")
    for word in ("doses:", "wells:", "P1/", "plates:", "table: table.csv", "q "):
        assert word in text
    with pytest.raises(Refusal, match=r"no compound 'upp'.*did you mean 'up'"):
        explain_compound(str(tmp_path / "runs"), "table", "upp")


def test_a_compound_says_what_quality_control_took_from_it(tmp_path: Path) -> None:
    called(tmp_path, direction="higher")
    runs = str(tmp_path / "runs")
    clean = explain_compound(runs, "table", "up").message
    assert "no well with a number was removed" in clean

    wells = pl.read_parquet(tmp_path / "runs/table/hits.parquet").filter(compound="up")
    lines = [f"{p},{w},dust,Ada,2026-11-20" for p, w in wells["plate", "well"].rows()]
    hand = tmp_path / "exclusions.csv"
    hand.write_text("\n".join(["plate,well,reason,who,when", *lines]), encoding="utf-8")
    outcome, compounds = called(tmp_path, direction="higher", exclusions=str(hand))
    text = explain_compound(runs, "table", "up").message

    assert class_of(compounds, "up")[1] is False
    assert "dust (Ada, 2026-11-20); score 0." in text
    assert "put back it is called otherwise:" in text
    assert "without it inducer, a hit" in text
    assert f"quality control removed {len(lines)} wells" in outcome.message
    assert "up: " in outcome.message


def test_explain_takes_a_compound_of_a_run_or_a_model() -> None:
    ExplainVerb(compound="a", run="r").check()
    for keys in ({"compound": "a"}, {"compound": "a", "run": "r", "model": "m"}, {}):
        with pytest.raises(ValueError, match=r"run=NAME|give one"):
            ExplainVerb(**keys).check()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def doses(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[pl.DataFrame, pl.DataFrame]]:
    folder = tmp_path_factory.mktemp("lopac")
    wells = pl.read_csv(REAL / "lopac_screen/wells.csv.gz", infer_schema=False)
    wells = wells.with_columns(pl.col("Barcode").str.replace(r"\.", "-"))
    wells = wells.filter(pl.col("Barcode").str.starts_with("E31")).select(
        "Barcode", "Well Name", "chemical_name", "Annotation", "Conc LOG[M]"
    )
    wells.write_csv(folder / "map.csv")
    found = {}
    for direction in ("higher", "lower"):
        out = folder / direction
        call.run(
            CallVerb(
                table=str(REAL / "lopac_screen/e31_senescence_scores.csv"),
                table_columns=["value:sen_score", "sd:std_sen_score"],
                map=[str(folder / "map.csv")],
                map_aliases=[
                    "Barcode:plate",
                    "Well Name:well",
                    "chemical_name:compound",
                    "Annotation:role",
                    "Conc LOG[M]:concentration_log10_m",
                    "neg:vehicle",
                    "pos:reference",
                    "sample:treatment",
                ],
                map_defaults=["state:unstressed", "batch:1", "replicate:1"],
                direction=direction,
                out=str(out),
            )
        )
        tables = (pl.read_parquet(out / f"{n}.parquet") for n in ("doses", "compounds"))
        found[direction] = tuple(tables)
    return found  # type: ignore[return-value]


class TestLopac:
    """The senescence scores of line E31, whose vehicle is unstressed."""

    pytestmark = real

    @pytest.mark.parametrize(
        ("name", "dose", "class_", "is_called"),
        [
            ("Budesonide", 0.5, "inducer", True),
            ("Budesonide", 3.0, "inducer", True),
            ("Cytosine-1-beta", 0.5, "inducer", True),
            ("Etoposide", 0.5, "inducer_with_loss", True),
            ("Etoposide", 3.0, "inducer_with_loss", True),
            ("Auranofin", 0.5, "toxic", False),
            ("Auranofin", 3.0, "toxic", False),
            ("Sanguinarine", 3.0, "toxic", False),
        ],
    )
    def test_what_is_known_is_found(
        self,
        doses: dict[str, tuple[pl.DataFrame, pl.DataFrame]],
        name: str,
        dose: float,
        class_: str,
        is_called: bool,
    ) -> None:
        row = doses["higher"][0].filter(
            pl.col("compound").str.starts_with(name), concentration_um=dose
        )

        assert (row["class"][0], row["is_called"][0]) == (class_, is_called)

    def test_no_well_that_lost_half_its_cells_is_called_younger(
        self, doses: dict[str, tuple[pl.DataFrame, pl.DataFrame]]
    ) -> None:
        table, compounds = doses["lower"]
        found = table.filter("is_called")

        assert found.height > 10
        assert found["log_count"].min() >= np.log(0.5)
        row = compounds.filter(pl.col("compound").str.starts_with("Furamidine"))
        assert "FLUORESCENCE_SUSPECT" in row["flags"][0]


class TestRepurposing:
    """Cell numbers of 136 plates, unstressed vehicle."""

    pytestmark = real

    @pytest.mark.slow
    def test_the_screen_is_called_from_its_own_files(self, tmp_path: Path) -> None:
        folder = REAL / "repurposing_screen"
        outcome = call.run(
            CallVerb(
                table=str(folder / "cell_counts.csv.gz"),
                map=[str(folder / "platemaps.csv.gz")],
                barcodes=str(folder / "barcode_platemap.csv"),
                map_defaults=["state:unstressed", "dilution:1000"],
                out=str(tmp_path),
            )
        )
        hits = pl.read_parquet(tmp_path / "hits.parquet")
        compounds = pl.read_parquet(tmp_path / "compounds.parquet")

        assert outcome.code == ExitCode.PARTIAL  # SQ00015207/P01 is in the map alone
        assert hits.height == 52_224
        assert hits.filter(status="ABSENT").select("plate", "well").rows() == [
            ("SQ00015207", "P01")
        ]
        assert set(compounds["class"]) <= {"toxic", "proliferative", "inactive"}
        assert compounds.height == 1570
        assert compounds["rank"].to_list() == list(range(1, 1571))
