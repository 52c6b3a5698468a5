"""Large fields are scored in windows: the same scores, decided by settings alone, with
no more of a field in memory than a window and a sixteenth of its pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from kernels.crops import gather_crops
from kernels.networks import build
from kernels.scorer import ScoredBatch
from plates.campaign import Campaign
from plates.problems import FieldError
from plates.shard_parts import StoredPart
from plates.store import Plate, open_plate
from plates.store_metadata import LEVEL, SHARD
from screen import plan
from screen.compose import settings_of
from screen.errors import Refusal
from screen.field_pixels import StoredField, field_pixels
from screen.field_scores import FieldScores
from screen.fingerprint import digest, score_fingerprint
from screen.large_fields import held_bytes, is_left_in_store, is_tiled, windows_told
from screen.ledger import Ledger
from screen.memory_check import (
    BASE_BYTES,
    SEEN_WORKING,
    WORKING,
    check_memory,
    check_worker_memory,
    field_bytes,
    working_bytes,
)
from screen.models import load_model, network_weights, save_model
from screen.score import score_campaign
from screen.scoring import JaxScorer, scorer_of
from screen.tiled_scoring import _tiles
from tests.catalogue import drawn
from tests.test_screen_models import SPEC
from tests.test_screen_score import score, settings
from tests.tiny_screen import NumpyScorer, make_model, make_screen
from tests.tiny_screen import table_bytes as tables

SIDE = 192
LIGHT = {"kinds": ["fluorescence"], "scales": [1e3], "saturation_level": None}
FINDER = {
    "kind": "centres", "channel": 0, "radius_px": 3.0, "min_contrast": 3.0,
    "max_cells": 150, "crop_px": 16,
}  # fmt: skip


@pytest.fixture
def quickly_compiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """XLA works less at what runs once, weighted sums of crops stand for networks, and
    two radii are looked for; the long tests look at all of it as it is."""
    monkeypatch.setattr(JaxScorer, "scorer", weighing)
    for module in ("blobs", "field_tiles"):
        monkeypatch.setattr(f"kernels.{module}.SCALES", (0.7, 1.0))
    monkeypatch.setattr("kernels.field_survey.BAND_PX", 3000)
    config: Any = jax.config
    config.update("jax_disable_most_optimizations", True)
    yield
    config.update("jax_disable_most_optimizations", False)


def weighing(_scorer: JaxScorer, networks: tuple[str, ...], _image: Any) -> Any:
    """A scorer that weighs each pixel of a crop in its own way."""
    return _weighed[len(networks)]


def _weighing(n_networks: int, image: Any, centres: Any, valid: Any) -> ScoredBatch:
    weights = np.random.default_rng(0).normal(0, 0.2, (3, 16, 16)).astype(np.float32)
    crops = gather_crops(image, centres, crop_px=16, bin=1)
    sums = jnp.einsum("kyx,byxc->bk", weights, crops) * valid[:, None]
    p = jax.nn.sigmoid(sums[None, :, 0].repeat(n_networks, 0)) * valid
    return ScoredBatch(p, sums[None].repeat(n_networks, 0), sums)


_weighed = {1: jax.jit(partial(_weighing, 1))}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model without a network."""
    path = tmp_path_factory.mktemp("model") / "m"
    spec = replace(SPEC, finder=FINDER, intensity=LIGHT)
    save_model(path, spec, {"half0": {"weight": np.zeros(1, np.float32)}})
    return path


@pytest.fixture(scope="module")
def given(folder: Path) -> Path:
    """A small model with random weights, of cells that others found."""
    path = folder.with_name("given")
    network = build("compact", 1, 16, key=jax.random.key(1))
    spec = replace(SPEC, finder={**FINDER, "kind": "given"}, intensity=LIGHT)
    save_model(path, spec, {"half0": network_weights(network)})
    return path


def field(seed: int) -> NDArray[np.uint16]:
    """A field [1 y x] with cells everywhere."""
    return np.tile(drawn(seed, SIDE // 2), (2, 2))[None]


def assert_alike(tiled: FieldScores, whole: FieldScores) -> None:
    """The same cells in the same order, the same numbers but for their last digits."""
    np.testing.assert_allclose(tiled.y, whole.y, atol=1e-4)
    np.testing.assert_allclose(tiled.x, whole.x, atol=1e-4)
    np.testing.assert_allclose(tiled.probability, whole.probability, atol=1e-5)
    np.testing.assert_allclose(tiled.profile, whole.profile, rtol=1e-4)
    assert tiled.codes == whole.codes
    assert tiled.measures.keys() == whole.measures.keys()
    for name, values in whole.measures.items():
        got = tiled.measures[name]
        np.testing.assert_allclose(got, values, rtol=1e-4, atol=1e-6, err_msg=name)
    assert tiled.embedding.keys() == whole.embedding.keys()
    for name, total in whole.embedding.items():
        np.testing.assert_allclose(tiled.embedding[name], total, rtol=1e-4, atol=1e-4)


@dataclass
class Watched:
    """A field that notes how many pixels of it were asked for at a time."""

    field: NDArray[np.uint16]
    largest: int = 0
    n_asked: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """(c, y, x)."""
        return self.field.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the integers."""
        return self.field.dtype

    def __getitem__(self, part: tuple[slice, slice, slice]) -> NDArray[Any]:
        """A part [c y x]."""
        found = self.field[part]
        self.largest = max(self.largest, found.size)
        self.n_asked += found.size
        return found


@pytest.mark.usefixtures("quickly_compiled")
def test_a_large_field_scores_as_if_it_were_small(folder: Path) -> None:
    model = load_model(folder)
    scorer, cut = JaxScorer(model, 8), JaxScorer(model, 8, max_field_px=3000)
    whole = scorer(field(1), ("half0",))
    assert len(whole.y) >= 16
    tiles = _tiles(cut, (1, SIDE, SIDE), "uint16")
    assert len(tiles.tiles) == 9
    watched = Watched(field(1))
    assert_alike(cut(watched, ("half0",)), whole)
    assert watched.largest == np.prod(tiles.window) < field(1).size
    assert_alike(cut(field(1), ()), scorer(field(1), ()))
    scorer.max_field_px = SIDE**2
    again = scorer(field(1), ("half0",))
    assert again.probability.tobytes() == whole.probability.tobytes()
    compiled: list[str] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event) if "compile" in event else None
    )
    assert len(cut(field(3), ("half0",)).y) > 0
    assert compiled == []


@pytest.mark.long
def test_given_cells_are_scored_where_they_lie_once_each(given: Path) -> None:
    rng = np.random.default_rng(0)
    centres = rng.uniform(0, SIDE - 1, (160, 2)).astype(np.float32)
    model = load_model(given)
    whole = JaxScorer(model, 8)(field(2), ("half0",), centres=centres)
    cut = JaxScorer(model, 8, max_field_px=3000)
    tiled = cut(field(2), ("half0",), centres=centres)
    assert whole.codes == ("CAPACITY",)
    assert_alike(tiled, whole)
    empty = cut(field(2), ("half0",), centres=centres[:0])
    assert (len(empty.y), empty.probability.shape) == (0, (0, 1))


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """A plate of fields of 32 x 32 pixels, and one of 128 x 128 in chunks of 32 x 32."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("plates.shard.LARGEST_CHUNK_PX", 32)
        root = tmp_path_factory.mktemp("c") / "campaign"
        return make_screen(root, ("P01", "P02"), 2, sides={"P02": 128})


@pytest.fixture
def small(campaign: Campaign) -> Plate:
    """The plate of small fields."""
    return open_plate(campaign.plates[0].path)


@pytest.fixture
def large(campaign: Campaign) -> Plate:
    """The plate of large ones."""
    return open_plate(campaign.plates[1].path)


CUT = "max_field_mpx=0.01"
CUT_PX = 0.01 * 1e6


@dataclass(frozen=True)
class WindowSource:
    """A scorer that asks for windows of what it is not given as an array, and notes
    what it was given."""

    given: list[type]

    threshold = 0.5
    channels = NumpyScorer().channels

    def __call__(self, *given: Any, **more: Any) -> Any:
        """Itself for its scorer; the scores of a field."""
        return self if not given else self.scored(*given, **more)

    def scored(
        self, pixels: Any, networks: Sequence[str], **_given: Any
    ) -> FieldScores:
        """Score one field [c y x]."""
        self.given.append(type(pixels))
        c, y, x = pixels.shape
        rows = [
            np.concatenate([pixels[:c, i : i + 50, j : j + 50] for j in range(0, x, 50)], 2)
            for i in range(0, y, 50)
        ]  # fmt: skip
        return NumpyScorer()(np.concatenate(rows, axis=1), networks)


def test_only_large_fields_are_left_in_their_store_and_score_the_same(
    campaign: Campaign, tmp_path: Path
) -> None:
    source = WindowSource([])
    outcome, run = score(campaign, tmp_path / "cut", CUT, source=source)
    assert outcome.code == 0
    assert source.given == [np.ndarray] * 4 + [StoredField] * 4
    _, whole = score(campaign, tmp_path / "whole")
    for plate in ("P01", "P02"):
        cut, uncut = (list(Ledger(one).headers(plate)) for one in (run, whole))
        assert [h.pop("fingerprint") for h in cut] != [
            h.pop("fingerprint") for h in uncut
        ]
        assert cut == uncut


def test_a_damaged_window_costs_its_field(campaign: Campaign, tmp_path: Path) -> None:
    path = tmp_path / "campaign"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("plates.shard.LARGEST_CHUNK_PX", 32)
        spoilt = make_screen(path, ("P01",), 1, sides={"P01": 128})
    shard = next(spoilt.plates[0].path.glob(f"A/1/1/{LEVEL}/{SHARD}"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    _, run = score(
        spoilt, tmp_path, CUT, "min_fields_share=0.1", source=WindowSource([])
    )
    (header,) = Ledger(run).headers("P01")
    assert header["status"] == "SCORED_DEGRADED"
    assert header["codes"] == ["CHUNK_CORRUPT"]


def test_large_and_small_plates_may_join_a_run_in_any_order(
    campaign: Campaign, tmp_path: Path
) -> None:
    found = []
    for order in ((0, 1), (1, 0)):
        runs = tmp_path / str(order)
        for n in (1, 2):  # the second plate joins the first
            paths = [campaign.plates[i].path for i in sorted(order[:n])]
            plates = tuple(map(open_plate, paths))
            outcome = score_campaign(
                settings(campaign, runs, CUT),
                campaign,
                plates,
                make_model(campaign),
                WindowSource([]),
            )
            assert outcome.code == 0
        found.append(tables(runs / "tiny"))
    assert found[0] == found[1]


def test_settings_alone_are_in_the_fingerprint(
    campaign: Campaign, small: Plate, large: Plate
) -> None:
    usual, other = (
        {
            digest(score_fingerprint(make_model(campaign), plates, chosen, {}, {}))
            for plates in ([small], [large], [small, large])
        }
        for chosen in (
            settings(campaign, Path("r")),
            settings(campaign, Path("r"), CUT),
        )
    )
    assert len(usual) == len(other) == 1
    assert usual != other
    facts = score_fingerprint(
        make_model(campaign), [large], settings(campaign, Path("r")), {}, {}
    )
    assert "max_field_mpx" not in facts  # as runs from before there was such a setting


def test_the_setting_reaches_the_scorer(folder: Path) -> None:
    chosen = settings_of("score", ["campaign=c", "model=m", "max_field_mpx=2"])
    source = scorer_of(load_model(folder), chosen)
    assert source.max_field_px == source().max_field_px == 2e6


def test_a_shape_alone_decides(small: Plate, large: Plate) -> None:
    assert not is_tiled(small, 32 * 32)
    assert is_tiled(small, 32 * 32 - 1)
    assert is_left_in_store(large, CUT_PX, is_segmented=False)
    assert not is_left_in_store(large, CUT_PX, is_segmented=True)
    assert not is_left_in_store(large, 1e8, is_segmented=False)
    assert not is_left_in_store(small, 100.0, is_segmented=False)  # of one chunk


def test_it_is_said_which_fields_are_scored_in_windows(
    small: Plate, large: Plate
) -> None:
    told = "P02: fields of 128 x 128 scored in windows, read "
    assert windows_told([small, large], 1e8, {}) == []
    assert windows_told([small, large], CUT_PX, {}) == [f"{told}in parts"]
    (line,) = windows_told([large], CUT_PX, {"segmenter": "other"})
    assert line == f"{told}whole: a segmenter looks at whole fields"
    (line,) = windows_told([small], 100.0, {})
    assert line.endswith("read whole: a chunk holds more than a quarter of a field")


def test_a_plan_says_so_and_its_probe_scores_in_windows(
    campaign: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model(campaign)
    none = {"weight": np.zeros(1, np.float32)}
    save_model(tmp_path / "m", model.spec, {n.name: none for n in model.spec.networks})
    words = [f"campaign={campaign.root}", f"model={tmp_path / 'm'}", CUT]
    words += [f"runs={tmp_path}", "cluster=inline"]
    source = WindowSource([])
    monkeypatch.setattr("screen.scoring.scorer_of", lambda *_: source)
    text = plan.run(settings_of("plan", words)).message
    assert "P02: fields of 128 x 128 scored in windows, read in parts" in text
    assert set(source.given) == {np.ndarray, StoredField}
    assert "cluster.memory_mb=" in text


def test_a_stored_field_is_what_lies_there(large: Plate) -> None:
    well = large.wells[0]
    stored, whole = (
        field_pixels(large, well, 1, ("body", "nucleus"), None, is_stored=is_stored)
        for is_stored in (True, False)
    )
    assert (stored.shape, stored.dtype) == (whole.shape, whole.dtype)
    np.testing.assert_array_equal(np.asarray(stored), whole)
    part = slice(1, 2), slice(30, 70), slice(100, 500)
    np.testing.assert_array_equal(stored[part], whole[part])


@pytest.mark.parametrize(("value", "code"), [(0, "IMG_BLANK"), (7, "IMG_CONSTANT")])
def test_a_constant_plane_is_told_before_any_window(
    value: int, code: str, large: Plate, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: list[int] = []
    real = StoredPart.decode

    def constant(part: StoredPart) -> Any:
        parts.append(len(part.chunks))
        pixels = real(part)
        return np.full_like(pixels, value) if part.part[0] == (1,) else pixels

    monkeypatch.setattr(StoredPart, "decode", constant)
    where = f"{code} P02/A01/f0/body: every pixel is {value}"
    with pytest.raises(FieldError, match=where):
        field_pixels(
            large, large.wells[0], 0, ("nucleus", "body"), None, is_stored=True
        )
    # Two rows of chunks of the plane that is seen to vary, all four of the other.
    assert parts == [8, 8, 8]


def test_large_fields_take_the_memory_of_their_windows(large: Plate) -> None:
    large = replace(large, spec=replace(large.spec, field_shape=(2, 9000, 12000)))
    n_px = 2 * 9000 * 12000
    seen, window = n_px // 16 * 4, 2 * 2048**2 * 6
    assert field_bytes(large) == n_px * 6
    assert held_bytes(large, is_stored=True) == seen
    assert held_bytes(large, is_stored=False) == seen + 2 * n_px
    assert field_bytes(large, 1e8) == window + seen
    assert working_bytes(large) == WORKING * n_px * 6
    assert working_bytes(large, 1e8) == WORKING * window + SEEN_WORKING * seen
    more = working_bytes(large, 1e8, is_segmented=True) - working_bytes(large, 1e8)
    assert more == 2 * n_px


def test_large_fields_are_not_refused_for_planes_that_are_never_made(
    large: Plate,
) -> None:
    large = replace(large, spec=replace(large.spec, field_shape=(2, 9000, 12000)))
    room = BASE_BYTES + 3 * field_bytes(large, 1e8)
    check_memory([large], 2, room, 1e8)
    with pytest.raises(Refusal, match="MEMORY_FULL P02: 2 threads"):
        check_memory([large], 2, room - 1, 1e8)
    with pytest.raises(Refusal, match="MEMORY_FULL"):
        check_memory([large], 2, room, 2e8)
    promise = settings_of(
        "score", ["campaign=c", "model=m", "cluster=inline", "cluster.memory_mb=1000"]
    ).cluster
    check_worker_memory(promise, [large], 1e8)
    with pytest.raises(Refusal, match="MEMORY_FULL P02: one field takes at least"):
        check_worker_memory(promise, [large], 2e8)
