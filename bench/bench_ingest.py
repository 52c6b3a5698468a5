"""Speed and memory of ingest against the bare codec, and where the time of a field goes.

Usage: python bench/bench_ingest.py [--quick] [FOLDER]. Fields of 2160 x 2160 x 4 uint16
(camera noise, background and cells) lie as one TIFF a plane, as instruments write them.
`bare` compresses and writes such fields from memory in two processes and does nothing
else; it is timed before each plate, so that both see the same machine. Memory is the resident size of all processes of ingest together, sampled every 50 ms. The last
line is one JSON object.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import tifffile

from bench.laps import Lap, lapped
from bench.machine import facts, rounded
from bench.memory import watched
from plates.ingest import IngestOptions, ingest_plate
from plates.inventory import Stamp, checked
from plates.killable import Done, KillablePool
from plates.pixels import read_kind, read_planes
from plates.pyramid import levels, small
from plates.readers.tiff_folder import scan
from plates.shard import encode_shard
from plates.store_metadata import PlateSpec
from plates.wells import PlateFormat

CHANNELS = ("DNA", "actin", "tubulin", "phase")
PATTERN = r"(?P<plate>P\d)_(?P<well>[A-Z]\d\d)_(?P<channel>[a-zA-Z]+)\.tif"
N_WORKERS = 2
MB = 1e6


def field(size: int, seed: int) -> np.ndarray[Any, Any]:
    """Pixels (c, y, x) with the noise of a camera, which is what costs the codec time."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    glow = 300 * np.exp(-((y - size / 2) ** 2 + (x - size / 2) ** 2) / size**2)
    planes = []
    for _ in CHANNELS:
        light = 200 + glow
        for cy, cx in rng.uniform(0, size, (size * size // 40_000, 2)):
            box = np.s_[
                max(0, int(cy) - 40) : int(cy) + 40, max(0, int(cx) - 40) : int(cx) + 40
            ]
            light[box] += 900 * np.exp(-((y[box] - cy) ** 2 + (x[box] - cx) ** 2) / 300)
        noise = rng.standard_normal(light.shape, np.float32)
        planes.append(light + noise * np.sqrt(light + 25))
    return np.asarray(np.clip(np.rint(np.stack(planes)), 0, 65535), np.uint16)


def write_export(folder: Path, n_plates: int, n_wells: int, size: int) -> None:
    """TIFF files of the plates; all but four fields are further names of those four."""
    wells = PlateFormat.of(96).wells()[:n_wells]
    for n, well in enumerate(wells[:4]):
        for name, plane in zip(CHANNELS, field(size, n), strict=True):
            tifffile.imwrite(folder / f"P1_{well}_{name}.tif", plane)
    for plate in range(1, n_plates + 1):
        for n, well in enumerate(wells):
            for name in CHANNELS:
                path = folder / f"P{plate}_{well}_{name}.tif"
                if not path.exists():
                    os.link(folder / f"P1_{wells[n % 4]}_{name}.tif", path)


def pids_of(pool: KillablePool) -> list[int]:
    """This process and the pool's."""
    return [os.getpid(), *(child.process.pid for child in pool.children)]


def ingest(source: Path, out: Path, n_plates: int) -> dict[str, Any]:
    """Ingest the first plates with the default options, bare codec before each of them."""
    found = scan(source, PATTERN)
    out.mkdir()
    laps: dict[str, list[Lap]] = {"bare": [], "ingest": []}
    peaks = []
    # The bare codec has processes of its own: its buffers are no memory of ingest.
    with KillablePool(N_WORKERS) as pool, KillablePool(N_WORKERS) as bare_pool:
        bare(out, bare_pool, 2)  # starts the processes
        for facts_of in found.plates[:n_plates]:
            laps["bare"].append(
                bare(out, bare_pool, len(found.facts(facts_of.plate).wells))
            )
            with (
                watched(partial(pids_of, pool), 0.05) as peak,
                lapped(laps["ingest"]) as lap,
            ):
                report = ingest_plate(
                    found,
                    facts_of.plate,
                    out / f"{facts_of.plate}.ome.zarr",
                    plate_id=facts_of.plate,
                    plate_format=PlateFormat.of(96),
                    channels={name: name for name in CHANNELS},
                    pixel_size_um=0.65,
                    options=IngestOptions(workers=N_WORKERS),
                    pool=pool,
                )
                n_px = report.n_fields_written * int(np.prod(report.spec.stack_shape))
                lap.mb = 2 * n_px / MB
            peaks.append(peak.together / MB)
            shutil.rmtree(report.path)
    return {
        name: {
            "mb_per_s": [lap.mb / lap.seconds for lap in some],
            "cpu_ms_per_mb": 1e3 * sum(x.cpu for x in some) / sum(x.mb for x in some),
            "mean_mb_per_s": sum(x.mb for x in some) / sum(x.seconds for x in some),
        }
        for name, some in laps.items()
    } | {"peak_mb": peaks}


def bare_task(task: tuple[str, int, int]) -> tuple[float, float, float]:
    """Compress and write one field several times; start, end and processor time, s."""
    folder, seed, n_times = task
    pixels = field(2160, seed)[None, :, None]
    layout = spec_of(2160).layout
    # A file of its own for each: to write one over and over costs the system less.
    paths = [Path(folder) / f"{seed}.{n}.bare" for n in range(n_times)]
    start, used = time.time(), time.process_time()
    for path in paths:
        path.write_bytes(encode_shard(pixels, layout))
    ended = start, time.time(), time.process_time() - used
    for path in paths:
        path.unlink()
    return ended


def bare(folder: Path, pool: KillablePool, n_fields: int) -> Lap:
    """Two processes compress and write fields from memory and do nothing else."""
    # A child finds functions of modules, and this file is none while it is a script.
    from bench.bench_ingest import bare_task

    n_times = max(1, n_fields // N_WORKERS)
    tasks = [(str(folder), seed, n_times) for seed in range(N_WORKERS)]
    results = list(pool.map(bare_task, tasks, timeout_s=600))
    spans = [result.value for result in results if isinstance(result, Done)]
    seconds = sum(end - start for start, end, _ in spans) / N_WORKERS
    mb = N_WORKERS * n_times * 2 * int(np.prod(spec_of(2160).stack_shape)) / MB
    return Lap(mb, seconds, sum(used for _, _, used in spans))


def spec_of(size: int) -> PlateSpec:
    """What a plate of the bench holds."""
    return PlateSpec(
        plate="P1",
        format=PlateFormat.of(96),
        wells=PlateFormat.of(96).wells()[:1],
        n_fields=1,
        channels=CHANNELS,
        pixel_size_um=0.65,
        field_shape=(len(CHANNELS), size, size),
        dtype="uint16",
        n_levels=3,
    )


def parts(source: Path, folder: Path) -> dict[str, float]:
    """Milliseconds of each step for one field in one process, nothing else running."""
    paths = [str(source / f"P1_A01_{name}.tif") for name in CHANNELS]
    status = [os.stat(path) for path in paths]
    stamps = [Stamp(s.st_size, s.st_mtime_ns) for s in status]
    planes = [read_planes("tiff_folder", path, [0])[0] for path in paths]
    spec = spec_of(planes[0].shape[0])
    every = [levels(plane, spec.n_levels) for plane in planes]
    shards = [
        encode_shard(
            np.stack([s[n] for s in every])[None, :, None], spec.level_layout(n)
        )
        for n in range(spec.n_levels)
    ]
    file = folder / "parts.bin"

    def each(work: Callable[[int], object]) -> Callable[[], object]:
        return lambda: [work(n) for n in range(len(paths))]

    steps: dict[str, Callable[[], object]] = {
        "checksum": each(lambda n: checked.__wrapped__(paths[n], stamps[n], None)),
        "header": each(lambda n: read_kind("tiff_folder", paths[n], 1)),
        "read": each(lambda n: read_planes("tiff_folder", paths[n], [0])),
        "reduce": each(lambda n: levels(planes[n], spec.n_levels)),
        "picture": each(lambda n: small(every[n], 135)),
        "encode": lambda: encode_shard(
            np.stack(planes)[None, :, None], spec.level_layout(0)
        ),
        "encode_levels": lambda: [
            encode_shard(
                np.stack([s[n] for s in every])[None, :, None], spec.level_layout(n)
            )
            for n in range(1, spec.n_levels)
        ],
        "write": lambda: [file.write_bytes(shard) for shard in shards],
    }
    return {name: quickest(work) for name, work in steps.items()}


def quickest(work: Callable[[], object], n_times: int = 7) -> float:
    """The least processor time of several runs, ms: a busy machine does not show."""
    spent = []
    for _ in range(n_times):
        start = time.thread_time()
        work()
        spent.append((time.thread_time() - start) * 1e3)
    return min(spent)


def run_apart(source: Path, out: Path, n_plates: int) -> dict[str, Any]:
    """`ingest` in an interpreter of its own, so that its memory is its own."""
    command = [sys.executable, __file__, "--ingest", str(source), str(out)]
    command.append(str(n_plates))
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return result


def measure(root: Path, *, is_quick: bool) -> dict[str, Any]:
    """Ingest of one plate, then of four with the bare codec between, then the parts."""
    n_wells, n_many = (8, 2) if is_quick else (96, 4)
    source = root / "export"
    source.mkdir()
    write_export(source, n_many, n_wells, 2160)
    one = run_apart(source, root / "one", 1)
    many = run_apart(source, root / "many", n_many)
    bare_laps, laps = many["bare"], many["ingest"]
    return {
        "ratio_to_bare": laps["mean_mb_per_s"] / bare_laps["mean_mb_per_s"],
        "ratio_to_bare_cpu": bare_laps["cpu_ms_per_mb"] / laps["cpu_ms_per_mb"],
        "ingest": laps,
        "bare": bare_laps,
        "peak_mb": {"1": max(one["peak_mb"]), str(n_many): max(many["peak_mb"])},
        "parts_ms": parts(source, root),
        "config": {
            "field": [len(CHANNELS), 2160, 2160],
            "fields_a_plate": n_wells,
            "plates": n_many,
            "workers": N_WORKERS,
        },
    }


def main(arguments: list[str]) -> None:
    """Print one JSON object."""
    if arguments[:1] == ["--ingest"]:
        source, out, n_plates = arguments[1:]
        print(json.dumps(ingest(Path(source), Path(out), int(n_plates))))
        return
    places = [word for word in arguments if not word.startswith("--")]
    with tempfile.TemporaryDirectory(dir=places[0] if places else None) as folder:
        result = measure(Path(folder), is_quick="--quick" in arguments)
    print(json.dumps(rounded(result) | facts()))


if __name__ == "__main__":
    main(sys.argv[1:])
