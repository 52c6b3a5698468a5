"""Rows F04-F10, F16, F18 and F19: devices, networks, settings and hosts of a run."""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import jax
import numpy as np
import pytest

from kernels.networks import build
from plates.campaign import Campaign
from plates.problems import InputError
from plates.store import open_plate, read_field
from plates.wells import Well
from screen.__main__ import main
from screen.cluster import ClusterPlan, _first_word, run_blocks
from screen.device_faults import (
    DeviceFull,
    DeviceLost,
    MinibatchTooLarge,
    fitting,
    once_more,
)
from screen.devices import keep_compilations
from screen.errors import Refusal
from screen.estimate import Estimate
from screen.gpus import busy_gpus, gpus
from screen.ledger import Ledger
from screen.models import load_model, network_weights, save_model
from screen.pinned_devices import PinnedDevices
from screen.score import announced
from screen.scoring import JaxScorer
from screen.worker_versions import check_versions, differences, versions_here
from tests.catalogue import Ended, drawn, told
from tests.fake_workers import FakeWorkers, Night
from tests.test_screen_models import SPEC
from tests.tiny_screen import (
    NumpyScorer,
    NumpySource,
    make_model,
    table_bytes,
)

BAD = "A04"
FULL = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes"
ECC = "INTERNAL: CUDA_ERROR_ECC_UNCORRECTABLE: uncorrectable ECC error encountered"


class XlaRuntimeError(RuntimeError):
    """Named as JAX's own, which a CPU does not raise on demand."""


@dataclass
class Memory:
    """A device with room for so many cells, that fails now and then."""

    room: int
    failures: int = 0

    def __call__(self, size: int) -> int:
        """The size, where there is room."""
        self.failures -= 1
        if size > self.room or self.failures >= 0:
            raise XlaRuntimeError(FULL)
        return size


def test_F04_the_micro_batch_is_tried_once_and_the_one_that_fits_is_named(
    one_plate: Campaign,
) -> None:
    assert fitting(Memory(64), 64) == 64
    scorer = JaxScorer(make_model(one_plate), 64)
    room = Memory(20)
    image: Any = np.zeros((8, 8, 2), np.float32)
    with (
        mock.patch.object(scorer, "_tried_scorer", lambda _n, _i, size: room(size)),
        pytest.raises(MinibatchTooLarge) as found,
    ):
        scorer.scorer(("half0",), image)
    assert (found.value.asked, found.value.fits) == (64, 16)
    with pytest.raises(ValueError, match="other"):
        fitting(mock.Mock(side_effect=ValueError("other")), 64)


def test_F04_a_micro_batch_that_does_not_fit_ends_with_5_before_any_well(
    night: Night,
) -> None:
    workers = FakeWorkers({"A01": [MinibatchTooLarge(64, 16)]})
    told(night.score(workers=workers), 5, "DEVICE_FULL", "minibatch=16 fits")


def test_F04_a_full_device_is_tried_again_with_the_very_same_shape() -> None:
    waits: list[float] = []
    shapes: list[int] = []
    memory = Memory(64, failures=1)

    def compute() -> int:
        shapes.append(64)
        return memory(64)

    assert once_more(compute, waits.append) == 64
    assert shapes == [64, 64]
    assert len(waits) == 1
    memory.failures = 2
    with pytest.raises(DeviceFull, match="RESOURCE_EXHAUSTED"):
        once_more(compute, waits.append)


def test_F04_then_the_workers_are_restarted_once_and_then_it_is_exit_5(
    night: Night, whole: dict[str, bytes]
) -> None:
    workers = FakeWorkers({BAD: [DeviceFull(FULL)]})
    told(night.score(workers=workers), 0)
    assert workers.log.count(("restart", None)) == 1
    restart = workers.log.index(("restart", None))
    assert workers.log[restart + 1] == workers.log[0]
    assert table_bytes(night.run) == whole
    twice: list[BaseException] = [DeviceFull(FULL), DeviceFull(FULL)]
    workers = FakeWorkers({BAD: twice})
    ended = night.score("ledger.new_run=true", workers=workers)
    told(ended, 5, "DEVICE_FULL")
    told(night.score(), 0)
    assert table_bytes(night.run) == whole


def test_F04_two_blocks_that_find_it_full_at_once_cost_one_restart(
    night: Night, whole: dict[str, bytes]
) -> None:
    full: list[BaseException] = [DeviceFull(FULL)]
    workers = FakeWorkers({BAD: full.copy(), "C01": full.copy()})
    told(night.score(workers=workers), 0)
    assert workers.log.count(("restart", None)) == 1
    assert table_bytes(night.run) == whole


DRIVER = {
    "gpu=index,uuid,name": "0, GPU-a, NVIDIA H200\n1, GPU-b, NVIDIA H200\n",
    "compute-apps=gpu_uuid,pid,process_name,used_memory": (
        f"GPU-b, 4711, /usr/bin/python, 9000\nGPU-a, {os.getpid()}, python, 1\n"
    ),
}


def test_F05_a_busy_gpu_is_named_with_the_process_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (busy,) = busy_gpus(DRIVER.__getitem__)
    assert str(busy).startswith("DEVICE_BUSY NVIDIA H200: pid 4711 (/usr/bin/python)")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert [gpu.uuid for gpu in gpus(DRIVER.__getitem__)] == ["GPU-a"]
    assert busy_gpus(DRIVER.__getitem__) == []


def test_F05_each_gpu_gets_one_worker_that_sees_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plugins: list[PinnedDevices] = []
    plans: list[ClusterPlan] = []

    @contextlib.contextmanager
    def client(plan: ClusterPlan) -> Iterator[Any]:
        plans.append(plan)
        yield SimpleNamespace(register_plugin=plugins.append)

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("screen.cluster.usable_gpus", lambda: gpus(DRIVER.__getitem__))
    monkeypatch.setattr("screen.cluster._client", client)
    assert list(run_blocks([], NumpySource(), ClusterPlan("gpu"))) == []
    assert [(plan.workers, plan.window) for plan in plans] == [(2, 8)]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    plugins[0].setup(SimpleNamespace(name=1))  # type: ignore[arg-type]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-b"


class Seen(Exception):
    """The cluster would start now."""


def test_F05_memory_of_a_gpu_is_never_taken_beforehand() -> None:
    import dask

    found: list[Any] = []

    def start(**_settings: Any) -> None:
        found.append(dict(dask.config.get("distributed.nanny.pre-spawn-environ")))
        raise Seen

    with mock.patch("distributed.LocalCluster", start), pytest.raises(Seen):
        list(run_blocks([], NumpySource(), ClusterPlan("local")))
    assert found[0]["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"


def test_F06_a_gpu_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cpu = SimpleNamespace(platform="cpu", device_kind="cpu")

    def devices(kind: str | None = None) -> list[Any]:
        if kind == "gpu":
            raise RuntimeError("Unknown backend: 'gpu' requested")
        return [cpu]

    monkeypatch.setattr(jax, "devices", devices)
    with pytest.raises(InputError, match="DEVICE_ABSENT device=gpu"):
        announced("gpu")
    absent = mock.Mock(side_effect=FileNotFoundError("nvidia-smi"))
    monkeypatch.setattr("screen.gpus.subprocess.run", absent)
    with pytest.raises(Refusal, match="DEVICE_ABSENT cluster=gpu: no GPU here"):
        list(run_blocks([], NumpySource(), ClusterPlan("gpu")))


@pytest.fixture
def no_default_device() -> Iterator[None]:
    """JAX computes where it did, whatever a test chose."""
    yield
    jax.config.update("jax_default_device", None)  # type: ignore[no-untyped-call]


@pytest.mark.usefixtures("no_default_device")
def test_F06_auto_says_which_device_and_how_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "true")
    device = announced("auto")
    assert capsys.readouterr().err.startswith(f"scoring on {device}")
    assert os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    now = [0.0]
    estimate = Estimate(1000, lambda: now[0])
    assert estimate.see(40) is None
    now[0] = 10.0
    assert estimate.see(30) is None
    now[0] = 30.0
    assert estimate.see(30) == "about 8 min for 900 wells, 2.00 a second"
    now[0] = 60.0
    assert estimate.see(30) is None


def test_F07_a_lost_gpu_goes_out_of_service_and_the_rest_goes_on(
    night: Night, whole: dict[str, bytes]
) -> None:
    with pytest.raises(DeviceLost, match="ECC"):
        once_more(mock.Mock(side_effect=XlaRuntimeError(ECC)), lambda _s: None)
    workers = FakeWorkers({BAD: [DeviceLost(ECC, "w1")]})
    told(night.score(workers=workers), 0)
    assert ("retire", "w1") in workers.log
    assert table_bytes(night.run) == whole


def test_F07_without_any_device_left_the_run_stops_and_can_go_on(
    night: Night, whole: dict[str, bytes]
) -> None:
    fate: list[BaseException] = [DeviceLost(ECC, "w1")]
    workers = FakeWorkers({BAD: fate}, addresses={"w1"})
    told(night.score(workers=workers), 5, "DEVICE_LOST", "ECC")
    told(night.score(), 0)
    assert table_bytes(night.run) == whole


@dataclass(frozen=True)
class NanScorer(NumpyScorer):
    """The numpy scorer, that gives NaN for fields that begin with one of these values."""

    odd: frozenset[int] = frozenset()

    def __call__(self, pixels: Any, *given: Any, **more: Any) -> Any:
        """Score one field [c y x]."""
        scores = super().__call__(pixels, *given, **more)
        if int(pixels[0, 0, 0]) in self.odd:
            scores.probability[3] = np.nan
        return scores


def nan_for(one_plate: Campaign, *wells: str) -> NanScorer:
    """A scorer that fails in the second field of these wells."""
    plate = open_plate(one_plate.plates[0].path)
    firsts = [read_field(plate, Well.parse(w), 1)[0, 0, 0] for w in wells]
    return NanScorer(odd=frozenset(map(int, firsts)))


def test_F08_a_well_with_nan_gets_no_number(
    night: Night, whole: dict[str, bytes]
) -> None:
    scorer = nan_for(night.campaign, BAD)
    told(night.score("min_fields_share=0.5", source=lambda: scorer), 4)
    headers = {h["well"]: h for h in Ledger(night.run).headers("P01")}
    assert headers[BAD]["status"] == "QUARANTINED"
    assert headers[BAD]["codes"] == ["SCORE_NONFINITE"]
    assert sum(h["status"] == "SCORED" for h in headers.values()) == 23


def test_F08_many_such_wells_stop_the_run_with_what_repeats_it(night: Night) -> None:
    scorer = nan_for(night.campaign, BAD, "B02")
    ended = night.score(source=lambda: scorer)
    assert ended.code == 1
    assert "SCORE_NONFINITE P01: 2 of 24 wells" in ended.err
    bundle = json.loads((night.run / "nonfinite.json").read_text())
    assert set(bundle["fields"]) == {BAD, "B02"}
    assert bundle["model"]["sha256"] == "0" * 64
    assert bundle["versions"]["jax"] == jax.__version__
    assert "NaN" in bundle["fields"][BAD][1]["problem"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model with random weights."""
    folder = tmp_path_factory.mktemp("model") / "m"
    network = build("compact", 1, 16, key=jax.random.key(1))
    save_model(folder, SPEC, {"half0": network_weights(network)})
    return folder


def cut(model: Path) -> None:
    """The weights end too early."""
    path = model / "half0.safetensors"
    path.write_bytes(path.read_bytes()[:-7])


def two_channels(model: Path) -> None:
    """The spec asks for a channel more than the weights have."""
    path = model / "model.json"
    spec = json.loads(path.read_text())
    path.write_text(json.dumps({**spec, "channels": ["nucleus", "body"]}))


def other_shape(model: Path) -> None:
    """Whole weights of another network."""
    weights = load_model(model).weights["half0"]
    name = min(weights)
    longer = {**weights, name: np.concatenate([weights[name], weights[name]])}
    save_model(model, SPEC, {"half0": longer})


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda m: (m / "half0.safetensors").unlink(), "half0.safetensors: No such"),
        (lambda m: (m / "model.json").unlink(), "model.json: No such file"),
        (cut, "sha256"),
        (two_channels, "weights do not fit the architecture"),
        (other_shape, "weights do not fit the architecture"),
    ],
    ids=["no weights", "no spec", "cut", "channels", "shape"],
)
def test_F09_a_broken_model_is_refused_before_any_plate_is_read(
    one_plate: Campaign,
    tmp_path: Path,
    model: Path,
    spoil: Any,
    match: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = Path(shutil.copytree(model, tmp_path / "m"))
    spoil(own)
    words = [f"campaign={one_plate.root}", f"model={own}", f"runs={tmp_path}"]
    with mock.patch("screen.score.open_plate", side_effect=AssertionError("read")):
        code = main(["score", *words, "cluster=inline"])
    said = capsys.readouterr()
    told(Ended(code, said.out, said.err), 3, "MODEL_INVALID", match)


def test_F10_a_long_silence_at_the_start_is_explained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with _first_word(0.01):
        time.sleep(0.1)
    assert "first compiles for the first field of a shape" in capsys.readouterr().err
    with _first_word(0.05) as end_of_silence:
        end_of_silence()
        time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_F10_compilations_are_kept_where_only_their_owner_can_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept: dict[str, Any] = {}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(jax.config, "update", kept.__setitem__)
    folder = keep_compilations()
    assert folder == tmp_path / "senoscreen" / "xla"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert kept == {"jax_compilation_cache_dir": str(folder)}
    folder.chmod(0o770)
    assert keep_compilations() is None
    assert "open to others" in capsys.readouterr().err


def test_F10_a_field_shape_compiles_one_finder_and_one_scorer(
    tmp_path: Path, model: Path
) -> None:
    finder = {"kind": "tiles", "channel": 0, "radius_px": 4.0, "min_contrast": 3.0}
    light = {"kinds": ["fluorescence"], "scales": [1e3], "saturation_level": None}
    spec = replace(
        SPEC, finder={**finder, "max_cells": 32, "crop_px": 16}, intensity=light
    )
    save_model(tmp_path / "m", spec, load_model(model).weights)
    scorer = JaxScorer(load_model(tmp_path / "m"), 8)
    first, second = drawn(1)[None], drawn(2)[None]
    scorer(first, ("half0",))
    compiled: list[str] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event) if "compile" in event else None
    )
    assert len(scorer(second, ("half0",)).y) > 0
    assert compiled == []
    assert len(scorer._compiled._made) == 2


def test_F16_other_settings_of_the_score_are_refused_and_those_of_the_call_not(
    night: Night, whole: dict[str, bytes]
) -> None:
    told(night.score(), 0)
    ended = night.score("min_fields_share=0.5", "minibatch=32", "precision=tf32")
    found = ["min_fields_share: 0.666 -> 0.5", "minibatch: 64 -> 32"]
    found += ["precision: float32 -> tf32"]
    told(ended, 3, "SCORE_FINGERPRINT", *found, "ledger.new_run=true")
    assert table_bytes(night.run) == whole
    words = [f"campaign={night.campaign.root}", f"runs={night.runs}"]
    assert main(["call", *words, "decision.fdr=0.2"]) in (0, 4)
    told(night.score("minibatch=32", "ledger.new_run=true"), 0)
    assert table_bytes(night.run / "before-1") == whole


def test_F18_a_worker_with_other_versions_is_refused_with_a_table() -> None:
    here = versions_here()
    assert differences(here, {"tcp://a:1": here}) == []
    others = {**here, "jax": "0.1.0", "python": "3.12.1"}
    client: Any = SimpleNamespace(
        run=lambda ask: {"tcp://a:1": ask(), "tcp://b:2": others}
    )
    with pytest.raises(Refusal) as refused:
        check_versions(client)
    assert refused.value.code == 3
    text = str(refused.value)
    assert text.startswith("WORKERS_DIFFER tcp://b:2: python 3.12.1 instead of 3.11")
    assert f"jax 0.1.0 instead of {here['jax']}" in text
    assert "tcp://a:1" not in text


def test_F18_it_is_asked_before_any_block_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @contextlib.contextmanager
    def client(plan: ClusterPlan) -> Iterator[Any]:
        yield SimpleNamespace(run=lambda ask: {"tcp://b:2": {**ask(), "zarr": "2.0"}})

    monkeypatch.setattr("screen.cluster._client", client)
    block: Any = object()
    with pytest.raises(Refusal, match=r"WORKERS_DIFFER.*zarr 2.0"):
        list(run_blocks([block], NumpySource(), ClusterPlan("address")))


def test_F19_a_task_is_a_run_of_wells_and_their_number_is_said(night: Night) -> None:
    workers = FakeWorkers()
    ended = night.score("cluster.block_wells=7", workers=workers)
    told(ended, 0)
    assert "24 wells in 4 tasks" in ended.err
    assert [len(wells) for _, wells in workers.log] == [7, 7, 7, 3]
