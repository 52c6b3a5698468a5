"""How fast the readers list an export: planes per second, and bombs refused in what time.

Prints one JSON object as its last line; times are of the quickest of the runs.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.machine import facts
from plates.problems import InputError
from plates.readers import READERS
from tests import exports

N_IMAGES = 14_000
BAR_SECONDS = 1.0


def wells(n: int) -> list[tuple[int, int]]:
    """The first wells of a 384-well plate."""
    return [(k // 24 + 1, k % 24 + 1) for k in range(n)]


def make_operetta(folder: Path, n_images: int) -> None:
    """Nine fields of four channels a well."""
    every = exports.shots(wells(n_images // 36 + 1), 9, 4)[:n_images]
    exports.operetta(folder, every, make=exports.touch)


def make_imagexpress(folder: Path, n_images: int) -> None:
    """Nine sites of four waves a well of a plate of 96."""
    chosen = [(k // 12 + 1, k % 12 + 1) for k in range(min(n_images // 36 + 1, 96))]
    every = exports.shots(chosen, 9, 4, 1, n_images // (len(chosen) * 36) + 1)
    exports.imagexpress(folder, every[:n_images], make=exports.touch)


def make_cellvoyager(folder: Path, n_images: int) -> None:
    """Nine fields of four channels a well."""
    every = exports.shots(wells(n_images // 36 + 1), 9, 4)[:n_images]
    exports.cellvoyager(folder, every, make=exports.touch)


EXPORTS: dict[str, Callable[[Path, int], None]] = {
    "operetta": make_operetta,
    "imagexpress": make_imagexpress,
    "cellvoyager": make_cellvoyager,
}
PATTERN = (
    r"r(?P<row>\d+)c(?P<col>\d+)f(?P<field>\d+)p(?P<z>\d+)-ch(?P<channel>\d).*\.tiff"
)


def timed(name: str, folder: Path, pattern: str, n_runs: int) -> dict[str, Any]:
    """Wall and processor seconds of a scan, with the number of planes it found."""
    runs = []
    for _ in range(n_runs):
        wall, cpu = time.perf_counter(), time.process_time()
        n_planes = READERS[name].scan(folder, pattern).planes.height
        runs.append((time.perf_counter() - wall, time.process_time() - cpu))
    best = min(runs)
    return {
        "planes": n_planes,
        "wall_s": round(best[0], 3),
        "cpu_s": round(min(cpu for _, cpu in runs), 3),
    }


def bombs(folder: Path) -> dict[str, Any]:
    """Seconds until each hostile index is refused, with its code."""
    deep = "<a>" * 500_000
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 9}">' for n in range(1, 12))
    texts = {
        "entities": f'<!DOCTYPE x [<!ENTITY e0 "ha">{entities}]><x>&e11;</x>',
        "external": '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        "network": '<!DOCTYPE x [<!ENTITY y SYSTEM "http://127.0.0.1:9/">]><x>&y;</x>',
        "parameter": '<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///dev/zero"> %p;]><x/>',
        "depth": deep,
        "broken": "<EvaluationInputData><Images>",
    }
    found: dict[str, Any] = {}
    for name, text in texts.items():
        (folder / "Index.idx.xml").write_text(text, encoding="utf-8")
        start = time.perf_counter()
        try:
            READERS["operetta"].scan(folder)
        except InputError as error:
            seconds = round(time.perf_counter() - start, 4)
            found[name] = {"code": error.problems[0].code, "wall_s": seconds}
    return found


def main() -> None:
    """Measure every reader on 14,000 images; `--quick` takes a tenth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    n_images = N_IMAGES // 10 if parser.parse_args().quick else N_IMAGES
    result: dict[str, Any] = {**facts(), "n_images": n_images}
    with tempfile.TemporaryDirectory() as root:
        for name, make in EXPORTS.items():
            make(Path(root) / name, n_images)
            result[name] = timed(name, Path(root) / name, "", 3)
        images = Path(root) / "operetta" / "Images"
        index = images / "Index.idx.xml"
        result["index_mb"] = round(index.stat().st_size / 1e6, 1)
        result["tiff_folder"] = timed("tiff_folder", images, PATTERN, 3)
        (Path(root) / "bombs").mkdir()
        result["bombs"] = bombs(Path(root) / "bombs")
    result["bar_s"] = BAR_SECONDS
    result["is_met"] = result["operetta"]["wall_s"] <= BAR_SECONDS
    print(json.dumps(result))


if __name__ == "__main__":
    main()
