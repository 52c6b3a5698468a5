"""The whole page: sections gathered and rendered as one safe HTML file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from plates.wells import PlateFormat
from screen.report import wording
from screen.report.packed import packed
from screen.report.section import Extras, Facts, Section
from screen.report.sections import SECTIONS
from screen.report.tables import RunTables
from screen.report.verdict import verdict


def render(
    title: str, tables: RunTables, plate_format: PlateFormat, extras: Extras
) -> str:
    """The page as text: no remote resource, no script but its own (by hash)."""
    facts = Facts(tables, plate_format, extras)
    sections = [make(facts) for make in SECTIONS]
    style, script = _joined(sections, "css"), _joined(sections, "js")
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(_resource),
    )
    context = {
        "title": wording.shown(title),
        "style": Markup(style),
        "script": Markup(script),
        "policy": _policy(style, script),
        "verdict": verdict(tables),
        "sections": [_rendered(environment, s) for s in sections],
        "islands": [(n, packed(d)) for s in sections for n, d in s.islands.items()],
    }
    return environment.get_template("page.html.j2").render(context)


def _rendered(environment: Environment, section: Section) -> dict[str, Any]:
    template = environment.get_template(f"sections/{section.key}.html.j2")
    body = Markup(template.render(section.context))
    return {**vars(section), "body": body}


def _resource(name: str) -> str:
    return files("screen.report").joinpath(name).read_text("utf-8")


def _joined(sections: Sequence[Section], kind: str) -> str:
    """The page's own style or script, then those of its sections: of each its parts
    (KEY_part.js) before what uses them (KEY.js)."""
    own = files("screen.report.sections")
    names = sorted(f.name for f in own.iterdir() if f.name.endswith(f".{kind}"))
    chosen = [
        name
        for s in sections
        for name in (
            *(n for n in names if n.startswith(f"{s.key}_")),
            *(n for n in names if n == f"{s.key}.{kind}"),
        )
    ]
    parts = [own.joinpath(name).read_text("utf-8") for name in chosen]
    return "\n".join([_resource(f"page.{kind}"), *parts])


def _policy(style: str, script: str) -> str:
    """A policy that lets nothing run or load but this very style and script."""
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    ]
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{hashes[0]}'; "
        f"script-src 'sha256-{hashes[1]}'; base-uri 'none'; form-action 'none'"
    )


__all__ = ["Extras", "render"]
