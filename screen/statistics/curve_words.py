"""The reasons of a curve's row, as codes and as one line for a person."""

from typing import Any

from screen.curve_settings import CurveSettings


def reason_words(row: dict[str, Any], settings: CurveSettings) -> tuple[str, str]:
    """Codes joined by semicolons, and what they mean here; both empty where nothing is to be said."""
    found = [row["code"]] if row["code"] else []
    if row["code"] == "CURVE_FEW_DOSES" and row["n_toxic"]:
        readable = row["n_readable"]
        found = ["CURVE_TOXIC"] if readable >= settings.min_doses else found
    if row["model"] == "flat":
        found.append("CURVE_FLAT")
    if row["n_toxic"] and row["model"] is not None:
        found.append("TOXIC_CUT")
    if row["is_cut"]:
        found.append("BELL_CUT")
    if row["is_open"]:
        found.append("PLATEAU_OPEN")
    return ";".join(found), "; ".join(_words(code, row, settings) for code in found)


def _words(code: str, row: dict[str, Any], settings: CurveSettings) -> str:
    least = settings.min_doses
    p = "" if row["p"] is None else f" (p {row['p']:.2g})"
    return {
        "CURVE_FEW_DOSES": f"{row['n_readable']} distinct doses can be read, a curve"
        f" needs {least}",
        "CURVE_FEW_WELLS": f"{row['n_wells']} wells are too few for a curve",
        "CURVE_NOT_FINITE": "a read-out is infinite",
        "CURVE_CONSTANT": "every well reads the same",
        "CURVE_FLAT": f"no curve beats no effect{p}",
        "CURVE_BELL": "the response falls back at higher doses",
        "CURVE_TOXIC": f"{row['n_toxic']} of {row['n_doses']} doses leave fewer than"
        f" {settings.min_count:g} of the vehicle's cells, and fewer than {least} remain",
        "TOXIC_CUT": f"{row['n_toxic']} top doses left out: fewer than"
        f" {settings.min_count:g} of the vehicle's cells",
        "BELL_CUT": f"the response falls back: drawn over the"
        f" {row['n_doses_drawn']} doses up to its peak",
        "PLATEAU_OPEN": "fewer than two doses on a plateau",
    }[code]
