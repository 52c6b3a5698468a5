"""Where things lie: the packed configuration, the runs and what they hold."""

import json
import re
from pathlib import Path

from screen.errors import refusal

_NAME = re.compile(r"\w[\w.\- ]{0,199}")


def conf_dir() -> Path:
    """The configuration folder: `screen/conf` of a wheel, else `conf` of a checkout."""
    packed = Path(__file__).parent / "conf"

    return packed if packed.is_dir() else Path(__file__).parents[1] / "conf"


def campaign_name(campaign: str | Path) -> str:
    """The name a campaign gives to its run and model; its folder's when it has none."""
    try:
        text = (Path(campaign) / "campaign.json").read_text(encoding="utf-8")
        return str(json.loads(text)["name"])
    except (OSError, ValueError, KeyError, TypeError):  # judged by Campaign.open
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


def table_name(table: str) -> str:
    """The name a table of read-outs gives to its run: its file's, up to the first dot."""
    return Path(table).name.split(".")[0]


def model_dir(out: str, campaign: str) -> Path:
    """The folder of a model: `out`, or `models/CAMPAIGN` when that is empty."""
    return Path(out) if out else Path("models") / campaign_name(campaign)


def explanation_dir(out: str, source: str) -> Path:
    """The folder of an explanation: `out`, or `explanations/NAME` of the campaign or
    crops when that is empty."""
    return Path(out) if out else Path("explanations") / campaign_name(source)
