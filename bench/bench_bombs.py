"""Small files that stand for huge ones: how each ends under a 2 GB cap, and how fast.

`python bench/bench_bombs.py` prints one JSON object: per bomb its bytes, the verb's exit
code, the reason code seen, and the seconds from start of the process to its end.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.machine import facts  # noqa: E402

CAP_BYTES = 2_000_000_000
HEADER = "plate,well,compound,concentration_um,role,state,replicate,batch\n"
MAP = HEADER + "P1,A01,,,vehicle,stressed,1,1\nP1,A02,c1,1,treatment,stressed,1,1\n"


@dataclass(frozen=True)
class Bomb:
    """A prepared folder: the words of the verb, the code it must end with, its bytes."""

    words: list[str]
    code: str
    n_bytes: int


def tiff_bomb(folder: Path) -> Bomb:
    """A TIFF header that declares 200,000 x 200,000 pixels of 16 bits."""
    _images(folder)
    path = folder / "source" / "P1_A02_f0_DAPI.tif"
    tags = [
        (256, 4, 1, 200_000),
        (257, 4, 1, 200_000),
        (258, 3, 1, 16),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, 1),
        (278, 4, 1, 200_000),
        (279, 4, 1, 2**31),
    ]
    body = b"II*\0\x08\0\0\0" + len(tags).to_bytes(2, "little")
    for tag, kind, n, value in tags:
        body += tag.to_bytes(2, "little") + kind.to_bytes(2, "little")
        body += n.to_bytes(4, "little") + value.to_bytes(4, "little")
    path.write_bytes(body + b"\0\0\0\0")
    return Bomb(_ingest(folder), "IMG_TOO_LARGE", path.stat().st_size)


def zarr_bomb(folder: Path) -> Bomb:
    """An OME-Zarr plate whose one image declares 10^7 x 10^7 pixels."""
    plate = folder / "source" / "P1.zarr"
    ome = {"version": "0.5"}
    well = {"path": "A/1", "rowIndex": 0, "columnIndex": 0}
    listed = {"rows": [{"name": "A"}], "columns": [{"name": "1"}], "wells": [well]}
    scale = [{"type": "scale", "scale": [1.0, 1.0]}]
    axes = [{"name": name, "type": "space"} for name in "yx"]
    dataset = {"path": "0", "coordinateTransformations": scale}
    blocks = {
        "": {"plate": {**listed, "version": "0.5", "name": "P1"}},
        "A": None,
        "A/1": {"well": {"images": [{"path": "0"}], "version": "0.5"}},
        "A/1/0": {"multiscales": [{"axes": axes, "datasets": [dataset]}]},
    }
    for node_path, block in blocks.items():
        attributes = {} if block is None else {"ome": {**ome, **block}}
        node = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        _write_json(plate / node_path / "zarr.json", node)
    array: dict[str, Any] = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [10**7, 10**7],
        "data_type": "uint16",
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": [10**7, 10**7]},
        },
        "chunk_key_encoding": {"name": "default"},
        "fill_value": 0,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
    }
    path = plate / "A/1/0/0/zarr.json"
    _write_json(path, array)
    words = _ingest(folder)
    words[0] = f"source={plate}"
    return Bomb(words, "LIMIT_EXCEEDED", path.stat().st_size)


def xml_bomb(folder: Path) -> Bomb:
    """An Operetta index whose entities would unfold to 10^9 characters."""
    entities = '<!ENTITY a "xxxxxxxxxx">' + "".join(
        f'<!ENTITY {new} "{f"&{old};" * 10}">'
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    path = folder / "source" / "Images" / "Index.idx.xml"
    path.parent.mkdir(parents=True)
    path.write_text(f"<!DOCTYPE p [{entities}]><p>&i;</p>", encoding="utf-8")
    return Bomb(_ingest(folder), "XML_", path.stat().st_size)


def smiles_bomb(folder: Path) -> Bomb:
    """A compound of 200 opening brackets."""
    _images(folder)
    smiles = "(" * 200
    (folder / "library.csv").write_text(f"compound,smiles\nc1,{smiles}\n")
    words = [*_ingest(folder), f"library={folder / 'library.csv'}"]
    return Bomb(words, "CMPD_SMILES_INVALID", len(smiles))


def json_bomb(folder: Path) -> Bomb:
    """A campaign file nested 100,000 levels deep."""
    path = folder / "campaign.json"
    path.write_text("[" * 100_000)
    return Bomb(["plan", f"campaign={folder}", "model=x"], "CAMPAIGN_INVALID", 100_000)


def yaml_bomb(folder: Path) -> Bomb:
    """An option file whose aliases unfold to 9^8 words, among the options of a copy."""
    text = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n"
        for old, new in zip("abcdefg", "bcdefgh", strict=True)
    )
    conf = folder / "conf"
    shutil.copytree(ROOT / "conf", conf)
    (conf / "finder" / "mine.yaml").write_text(text)
    (folder / "start.py").write_text(
        f"""import sys
from pathlib import Path
import screen.compose, screen.keys, screen.paths
for module in (screen.compose, screen.keys, screen.paths):
    module.conf_dir = lambda: Path({str(conf)!r})
from screen.__main__ import main
sys.exit(main(["train", "campaign=x", "finder=mine", "--cfg", "job"]))
"""
    )
    return Bomb([str(folder / "start.py")], "CFG_FILE_LIMIT", len(text))


BOMBS: dict[str, Callable[[Path], Bomb]] = {
    "tiff": tiff_bomb,
    "zarr": zarr_bomb,
    "xml": xml_bomb,
    "smiles": smiles_bomb,
    "json": json_bomb,
    "yaml": yaml_bomb,
}


def _images(folder: Path) -> None:
    source = folder / "source"
    source.mkdir(parents=True)
    pixels = np.random.default_rng(1).integers(100, 200, (64, 64)).astype(np.uint16)
    for well in ("A01", "A02"):
        tifffile.imwrite(source / f"P1_{well}_f0_DAPI.tif", pixels)


def _ingest(folder: Path) -> list[str]:
    (folder / "map.csv").write_text(MAP)
    return [
        f"source={folder / 'source'}",
        f"map={folder / 'map.csv'}",
        f"out={folder / 'out'}",
        "pixel_size_um=1",
        "n_wells=96",
        "settle=0",
    ]


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def explode(bomb: Bomb) -> dict[str, Any]:
    """Run the verb on the bomb in a process that may take 2 GB."""
    if bomb.words[0].endswith(".py"):
        program = bomb.words
    elif bomb.words[0] == "plan":
        program = ["-m", "screen", *bomb.words]
    else:
        program = ["-m", "screen", "ingest", *bomb.words]
    started = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, *program],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (CAP_BYTES,) * 2),
        check=False,
    )
    said = ended.stdout + ended.stderr
    return {
        "seconds": time.perf_counter() - started,
        "exit": ended.returncode,
        "has_code": bomb.code in said,
        "has_traceback": "Traceback" in said or ended.returncode == 1,
        "said": said.strip().splitlines()[-1:],
    }


def measure(name: str, n_times: int) -> dict[str, Any]:
    """A bomb's end, and the median and spread of its seconds."""
    looks = []
    for _ in range(n_times):
        with tempfile.TemporaryDirectory() as folder:
            bomb = BOMBS[name](Path(folder))
            looks.append(explode(bomb))
    seconds = sorted(look["seconds"] for look in looks)
    last = looks[-1]
    return {
        "bytes": bomb.n_bytes,
        "code": bomb.code,
        **{key: last[key] for key in ("exit", "has_code", "has_traceback", "said")},
        "median_s": round(statistics.median(seconds), 2),
        "spread_s": [round(seconds[0], 2), round(seconds[-1], 2)],
    }


def main(arguments: list[str]) -> None:
    """Print one JSON object."""
    n_times = 1 if "--quick" in arguments else 5
    result = {name: measure(name, n_times) for name in BOMBS}
    print(json.dumps({"cap_bytes": CAP_BYTES, "bombs": result} | facts()))


if __name__ == "__main__":
    main(sys.argv[1:])
