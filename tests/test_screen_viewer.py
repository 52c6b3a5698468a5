"""The verb view: it starts anywhere, ends quietly, and shows what the stores hold."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from plates.campaign import Campaign
from plates.store import read_field
from plates.wells import Well
from screen import view
from screen.__main__ import main
from screen.errors import Refusal, Terminated
from screen.ledger import Ledger
from screen.report.gallery import intensity_scale
from screen.viewer.cells import shares
from screen.viewer.pixels import factor_of, raw_bytes, read_part
from screen.viewer.server import HOST, TRIED_PORTS, Viewer, listen
from screen.viewer.viewed_run import viewed
from tests.test_screen_readouts import called as called_table
from tests.test_screen_score import _Stops, score
from tests.viewer_run import (
    GONE,
    TORN,
    Visitor,
    make_place,
    settings,
    state_of,
    viewer_of,
)


@pytest.fixture(scope="module")
def place(memory_root: Path) -> Path:
    return make_place(memory_root / "place")


@pytest.fixture(scope="module")
def campaign(place: Path) -> Campaign:
    return Campaign.open(place / "campaign")


@pytest.fixture(scope="module")
def friend(place: Path) -> Iterator[Visitor]:
    with viewer_of(place) as viewer:
        yield Visitor.with_session(viewer)


def told(friend: Visitor, path: str, **query: object) -> Any:
    """The JSON of an answer that must be well."""
    answer = friend.get(f"/api/{path}?{urlencode(query)}")
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def problem(friend: Visitor, status: int, path: str, **query: object) -> Any:
    """The first problem of an answer that must be one."""
    answer = friend.get(f"/api/{path}?{urlencode(query)}")
    assert answer.status == status, answer.body
    return json.loads(answer.body)["problems"][0]


def words(place: Path, *more: str) -> list[str]:
    """The command for the run of a place."""
    return ["view", "run=tiny", f"runs={place / 'runs'}", *more]


# how it starts and ends


def _no_site(path: str, query: dict[str, str]) -> Any:
    raise AssertionError("nobody asks")


def test_h09_a_port_in_use_gives_way_to_the_next() -> None:
    with Viewer(0, _no_site) as first:
        port = first.server_address[1]
        with listen(port, _no_site) as second:
            assert port < second.server_address[1] <= port + TRIED_PORTS
            assert second.door.hosts[0] == f"{HOST}:{second.server_address[1]}"


# What a job in the background starts ignores Ctrl-C.
_HEARS = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from screen.__main__ import main; raise SystemExit(main())"
)


@pytest.mark.slow
def test_h09_headless_with_its_port_taken_it_says_where_and_ends_with_0(
    place: Path,
) -> None:
    before = state_of(place)
    environment = {k: v for k, v in os.environ.items() if "DISPLAY" not in k}
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-c", _HEARS, *words(place, f"port={port}")]
        with subprocess.Popen(
            command,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            try:
                said = [process.stdout.readline()]
                while said[-1] and "token=" not in said[-1]:
                    said.append(process.stdout.readline())
                process.send_signal(signal.SIGINT)
                rest, complaints = process.communicate(timeout=60)
            finally:
                process.kill()
    text = "".join(said)
    assert process.returncode == 0
    assert f"port {port} is taken" in text
    assert "ssh -L" in text
    assert "nothing was changed" in rest
    assert complaints == ""
    assert state_of(place) == before


def test_h09_sigterm_ends_it_with_0(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def wait() -> None:
        raise Terminated("SIGTERM")

    monkeypatch.setattr(view, "_wait", wait)
    outcome = view.run(settings(place, "open_browser=false"))
    assert outcome.code == 0
    assert "token=" in capsys.readouterr().out


def test_h09_a_browser_that_is_missing_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def missing(address: str) -> bool:
        asked.append(address)
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "open", missing)
    view._open("http://127.0.0.1:1/").join()
    assert asked == ["http://127.0.0.1:1/"]
    assert "no browser opened" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variables", "has"),
    [({}, False), ({"DISPLAY": ":0"}, True), ({"WAYLAND_DISPLAY": "w"}, True)],
)
def test_h09_without_a_screen_no_browser_is_asked(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], has: bool
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", "linux")
    assert view.has_screen() is has


# what is refused before anything is served


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["run=other"], 3, "no such run"),
        (["run=empty"], 3, "holds nothing of a run"),
        (["well=P09/A01"], 3, "no plate P09"),
        (["well=P01/D06"], 3, "no well D06"),
        (["well=A01"], 2, "well must be PLATE/WELL"),
        (["campaign=no/such"], 3, "CAMPAIGN_MISSING"),
    ],
)
def test_a_run_or_well_that_is_not_there_is_refused(
    place: Path,
    more: list[str],
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (place / "runs" / "empty").mkdir(exist_ok=True)
    given = {"run": "tiny", "runs": str(place / "runs")}
    given |= dict(word.split("=", 1) for word in more)

    assert main(["view", *(f"{k}={v}" for k, v in given.items())]) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("name", ["hits.parquet", "call.json", "manifest.json"])
def test_tables_that_are_not_what_was_written_are_not_shown(
    place: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(place / "runs", tmp_path / "runs")
    file = tmp_path / "runs" / "tiny" / name
    file.write_bytes(file.read_bytes()[:-3] + b"xyz")

    assert main(words(tmp_path)) == 7
    assert name in capsys.readouterr().err


def test_cells_that_are_not_what_was_written_are_not_shown(
    place: Path, tmp_path: Path
) -> None:
    shutil.copytree(place / "runs", tmp_path / "runs")
    file = tmp_path / "runs" / "tiny" / "cells" / "P01.parquet"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with viewer_of(tmp_path) as viewer:
        friend = Visitor.with_session(viewer)
        found = problem(friend, 409, "cells", plate="P01", well="B04")
    assert found["code"] == "OUTPUT_CHANGED"


def test_a_report_that_was_changed_is_not_shown(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "runs", tmp_path / "runs")
    page = tmp_path / "runs" / "tiny" / "report.html"
    page.write_bytes(page.read_bytes() + b"<script>alert(1)</script>")
    with viewer_of(tmp_path) as viewer:
        answer = Visitor.with_session(viewer).get("/")
    assert answer.status == 409
    assert json.loads(answer.body)["problems"][0]["code"] == "OUTPUT_CHANGED"


def test_without_a_report_the_page_says_how_to_make_it(
    place: Path, tmp_path: Path
) -> None:
    shutil.copytree(place / "runs", tmp_path / "runs")
    (tmp_path / "runs" / "tiny" / "report.html").unlink()
    with viewer_of(tmp_path) as viewer:
        answer = Visitor.with_session(viewer).get("/")
    assert answer.status == 200
    assert b"senoscreen report run=tiny" in answer.body
    assert b'href="/well"' in answer.body


@pytest.mark.slow
def test_a_run_called_from_a_table_shows_wells_and_says_it_has_no_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    called_table(tmp_path)
    given = ["run=table", f"runs={tmp_path / 'runs'}"]
    with viewer_of(tmp_path, *given) as viewer:
        friend = Visitor.with_session(viewer)
        lost = problem(
            friend, 409, "pixels", plate="P1", well="A01", field=0, channel=0
        )
        row = told(friend, "plate", plate="P1")
        facts = told(friend, "well", plate="P1", well="B01")
    assert "no images" in lost["found"]
    assert row["image"] is None
    assert len(row["wells"]) == 96
    assert facts["fields"] == []
    assert dict(facts["facts"])["Compound"]
    assert main(["view", *given, "well=P1/A01"]) == 3
    assert "it has no images" in capsys.readouterr().err


# pixels


@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize("field", [0, 1])
def test_a_plane_comes_as_it_lies_in_the_store(
    friend: Visitor, campaign: Campaign, channel: int, field: int
) -> None:
    plate = campaign.open_plate("P01")
    answer = friend.get(
        f"/api/pixels?plate=P01&well=B03&field={field}&channel={channel}"
    )
    expected = read_field(plate, Well.parse("B03"), field)[channel]

    assert answer.headers["Seno-Shape"] == "64 64"
    assert answer.headers["Seno-Type"] == "uint16"
    assert answer.headers["Seno-Factor"] == "1"
    assert (np.frombuffer(answer.body, "<u2").reshape(64, 64) == expected).all()


def test_a_part_comes_as_it_lies_in_the_store(
    friend: Visitor, campaign: Campaign
) -> None:
    whole = read_field(campaign.open_plate("P01"), Well.parse("A01"), 0)[1]
    answer = friend.get(
        "/api/pixels?plate=P01&well=A01&field=0&channel=1&rows=3-10&columns=20-64"
    )
    assert answer.headers["Seno-Shape"] == "7 44"
    assert (
        np.frombuffer(answer.body, "<u2").reshape(7, 44) == whole[3:10, 20:64]
    ).all()


@pytest.mark.parametrize("rows", [slice(0, 64), slice(5, 60)])
def test_a_large_field_comes_as_means_of_squares(
    campaign: Campaign, rows: slice
) -> None:
    plate, well = campaign.open_plate("P01"), Well.parse("A02")
    part = read_part(plate, well, 0, 1, rows, slice(0, 64), largest=500)
    n = rows.stop - rows.start
    kept = n // part.factor * part.factor
    side = 64 // part.factor * part.factor
    whole = read_field(plate, well, 0)[1][rows][:kept, :side].astype(float)
    shape = (kept // part.factor, part.factor, side // part.factor, part.factor)

    assert part.factor == 3
    assert np.abs(part.pixels - whole.reshape(shape).mean(axis=(1, 3))).max() <= 0.5
    assert part.pixels.dtype == np.uint16


@pytest.mark.parametrize(
    ("height", "width", "factor"),
    [(1, 1, 1), (5000, 5000, 1), (5000, 5001, 2), (10000, 10000, 2), (10001, 10000, 3)],
)
def test_no_more_than_25_megapixels_are_sent(
    height: int, width: int, factor: int
) -> None:
    assert factor_of(height, width) == factor


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "u1"])
def test_bytes_are_little_endian_whatever_the_store(dtype: str) -> None:
    pixels = np.array([[1, 2], [3, 250]], dtype)
    assert raw_bytes(pixels) == pixels.astype(f"<u{pixels.itemsize}").tobytes()


@pytest.mark.parametrize(
    ("lost", "code"), [(GONE, "CHUNK_MISSING"), (TORN, "CHUNK_CORRUPT")]
)
def test_a_lost_field_says_code_finding_and_remedy(
    friend: Visitor, lost: tuple[str, int], code: str
) -> None:
    well, field = lost
    found = problem(
        friend, 422, "pixels", plate="P01", well=well, field=field, channel=0
    )
    facts = told(friend, "well", plate="P01", well=well)

    assert found["code"] == code
    assert all(found[name] for name in ("found", "why", "remedy"))
    assert facts["status"]["word"] == "Scored, fields missing"
    assert facts["fields"][field]["used"] is False
    assert code in [r["code"] for r in facts["fields"][field]["remarks"]]
    assert all(r["meaning"] for r in facts["remarks"])


# wells, cells and contrast


def test_cells_are_those_of_the_run(friend: Visitor, place: Path) -> None:
    table = pl.read_parquet(place / "runs/tiny/cells/P01.parquet")
    own = table.filter(pl.col("well") == "B04").sort("cell")
    cells = told(friend, "cells", plate="P01", well="B04")

    assert cells["cell"] == own["cell"].to_list()
    assert cells["field"] == own["field"].to_list()
    assert np.allclose(cells["y"], own["y"], atol=0.01)
    assert np.allclose(cells["x"], own["x"], atol=0.01)
    assert np.allclose(cells["score"], own["probability"], atol=1e-4)


def test_facts_are_those_of_the_tables(friend: Visitor, place: Path) -> None:
    hits = pl.read_parquet(place / "runs/tiny/hits.parquet")
    compounds = pl.read_parquet(place / "runs/tiny/compounds.parquet")
    row = hits.row(by_predicate=pl.col("well") == "B04", named=True)
    own = compounds.row(by_predicate=pl.col("compound") == "C3", named=True)
    facts = dict(told(friend, "well", plate="P01", well="B04")["facts"])

    assert facts["Compound"] == row["compound"] == "C3"
    assert facts["Score"] == f"{row['score']:.3f}"
    assert facts["Cells"] == str(row["n_cells"])
    assert facts["Class"].lower() == own["class"]
    assert facts["Rank"] == str(own["rank"])
    assert facts["Dose"] == "10 µM"


def test_wells_of_a_compound_follow_one_another(friend: Visitor) -> None:
    same = told(friend, "well", plate="P01", well="B04")["same"]

    assert [(s["plate"], s["well"]) for s in same] == [("P01", "A04"), ("P01", "B04")]


def test_the_map_has_every_well_with_its_score(friend: Visitor, place: Path) -> None:
    hits = pl.read_parquet(place / "runs/tiny/hits.parquet")
    scores = dict(hits.select("well", pl.col("score").round(4)).iter_rows())
    plate = told(friend, "plate", plate="P01")

    assert {w["well"]: w["score"] for w in plate["wells"]} == scores
    assert (plate["rows"], plate["columns"]) == (4, 6)


def test_vehicles_are_spread_as_their_cells_are(friend: Visitor, place: Path) -> None:
    table = pl.read_parquet(place / "runs/tiny/cells/P01.parquet")
    healthy = table.filter(pl.col("well").is_in(["A01", "B01"]))
    ends = told(friend, "plate", plate="P01")["spread"]["ends"]
    counts, _ = np.histogram(healthy["probability"].drop_nulls(), 40, (0, 1))

    assert sorted(ends["healthy"]["wells"]) == ["A01", "B01"]
    assert sorted(ends["stressed"]["wells"]) == ["A02", "B02"]
    assert ends["healthy"]["n"] == counts.sum()
    assert np.allclose(ends["healthy"]["bins"], counts / counts.sum(), atol=1e-5)


@pytest.mark.parametrize("n", [0, 1, 7])
def test_shares_add_up_to_one_where_there_are_cells(n: int) -> None:
    scores = np.linspace(-3, 4, n)
    assert sum(shares(scores, 0, 1)) == pytest.approx(float(n > 0), abs=1e-3)


def test_contrast_is_that_of_the_controls(friend: Visitor, campaign: Campaign) -> None:
    image = told(friend, "plate", plate="P01")["image"]
    plate = campaign.open_plate("P01")
    # Fields of 64 pixels of a micrometre: a crop of 40 lies within one.
    found = _control_crops(friend, plate)
    low, high = intensity_scale(found, plate.channels)

    assert [c["name"] for c in image["channels"]] == ["nucleus", "body"]
    assert [c["low"] for c in image["channels"]] == pytest.approx(low, abs=0.1)
    assert [c["high"] for c in image["channels"]] == pytest.approx(high, abs=0.1)
    assert image["pixelUm"] == 1.0


def _control_crops(friend: Visitor, plate: Any) -> NDArray[np.float32]:
    """By hand: the six cells nearest to the median, of the fullest field (the first of
    equals) of the most typical well of both vehicles, cut 40 pixels wide."""
    crops = []
    for end in told(friend, "plate", plate="P01")["spread"]["ends"].values():
        well = end["wells"][0]
        cells = pl.DataFrame(told(friend, "cells", plate="P01", well=well))
        median = cells["score"].median()
        first = cells.filter(pl.col("field") == 0)
        order = (first["score"] - median).abs().arg_sort()[:6]
        pixels = read_field(plate, Well.parse(well), 0).astype(np.float32)
        for y, x in first[order].select("y", "x").iter_rows():
            top, left = (min(max(round(v - 20), 0), 24) for v in (y, x))
            crops.append(pixels[:, top : top + 40, left : left + 40])
    return np.stack(crops)


@pytest.mark.slow
def test_a_run_that_still_scores_shows_what_is_committed(
    memory_path: Path, campaign: Campaign
) -> None:
    stop = _Stops(9, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        score(campaign, memory_path / "runs", source=lambda: stop)
    with pytest.raises(Refusal, match="give campaign=PATH"):
        viewed(settings(memory_path))
    records = {r.well: r for r in Ledger(memory_path / "runs/tiny").open_records("P01")}
    with viewer_of(memory_path, f"campaign={campaign.root}") as viewer:
        friend = Visitor.with_session(viewer)
        page = friend.get("/")
        plate = told(friend, "plate", plate="P01")
        cells = told(friend, "cells", plate="P01", well="A02")
        waiting = told(friend, "well", plate="P01", well="B06")
    done = {w["well"] for w in plate["wells"] if w["status"]}
    assert 0 < len(done) < 12
    assert done == set(records)
    assert len(cells["y"]) == len(records["A02"].cells)
    assert waiting["status"]["word"] == "Not scored yet"
    assert len(waiting["fields"]) == 2
    assert b"senoscreen call run=tiny" in page.body
