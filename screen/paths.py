"""Where things lie: the packed configuration, the runs and what they hold."""

import os
import re
from contextlib import suppress
from pathlib import Path

from screen.errors import Refusal, refusal

_NAME = re.compile(r"\w[\w.\- ]{0,199}")


def conf_dir() -> Path:
    """The configuration folder: `screen/conf` of a wheel, else `conf` of a checkout."""
    packed = Path(__file__).parent / "conf"

    return packed if packed.is_dir() else Path(__file__).parents[1] / "conf"


def campaign_name(campaign: str | Path) -> str:
    """The name a campaign gives to its run and model: that of its folder."""
    return Path(campaign).resolve().name


def run_name(run: str, campaign: str) -> str:
    """The name of a run, from `run=` or else from the campaign (refuses with 2)."""
    name = run or (campaign_name(campaign) if campaign else "")
    if not name:
        why, remedy = "a run needs a name", "give run=NAME or campaign=PATH"
        raise refusal("CFG_KEY_MISSING", "run", "no name", why, remedy)
    if not _NAME.fullmatch(name):
        why, remedy = "the name becomes a folder", "use letters, digits, . _ -"
        raise refusal("CFG_VALUE_RANGE", "run", repr(name), why, remedy)
    return name


def run_dir(runs: str, run: str, campaign: str = "") -> Path:
    """The folder of a run: `runs/NAME`."""
    return Path(runs) / run_name(run, campaign)


def existing_run_dir(runs: str, run: str, campaign: str = "") -> Path:
    """The folder of a run that must be there already (refuses with 3)."""
    folder = run_dir(runs, run, campaign)
    if not folder.is_dir():
        there = sorted(p.parent.name for p in Path(runs).glob("*/manifest.json"))
        why = "the verb reads a finished run"
        remedy = f"score first; runs found: {', '.join(there[:10]) or 'none'}"
        raise refusal("INPUT_MISSING", folder, "no such run", why, remedy)
    return folder


def model_dir(out: str, campaign: str) -> Path:
    """The folder of a model: `out`, or `models/CAMPAIGN` when that is empty."""
    return Path(out) if out else Path("models") / campaign_name(campaign)


def probe_writable(folder: Path) -> None:
    """Make the folder and prove that it takes, keeps and renames a file (refuses: 3).

    A full or read-only disk shows here, before hours of computing.
    """
    probe = folder / f".probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with probe.open("xb") as file:
            file.write(b"probe")
            file.flush()
            os.fsync(file.fileno())
        probe.rename(probe.with_suffix(".renamed"))
        probe.with_suffix(".renamed").unlink()
    except OSError as error:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> Refusal:
    found = error.strerror or str(error)
    why, remedy = "results could not be kept", "free it or choose another folder"

    return refusal("OUTPUT_NOT_WRITABLE", folder, found, why, remedy)
