"""The page in place of a report that was not made yet."""

from __future__ import annotations

import shlex
from html import escape

from screen.report.wording import shown
from screen.viewer.viewed_run import ViewedRun

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name} · no report yet</title>
<link rel="stylesheet" href="/static/well.css">
</head>
<body class="alone">
<main>
<p class="kicker">Senescence screen</p>
<h1>{name}</h1>
<p>There is no report of this run yet. {what}</p>
<pre>{commands}</pre>
<p>Then load this page again. {wells}</p>
</main>
</body>
</html>
"""


def no_report(run: ViewedRun) -> str:
    """How to make the report, and the way to the wells where there are images."""
    is_called = run.tables.get() is not None
    named = shlex.join([f"run={run.folder.name}", f"runs={run.folder.parent}"])
    verbs = ("report",) if is_called else ("call", "report")
    what = (
        "This makes it:" if is_called else "When the wells are scored, this makes it:"
    )
    link = '<a href="/well">Look at the wells now</a>.'
    return _PAGE.format(
        name=escape(shown(run.folder.name)),
        what=what,
        commands=escape("\n".join(f"senoscreen {verb} {named}" for verb in verbs)),
        wells="" if run.campaign is None else link,
    )
