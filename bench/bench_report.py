"""The report of a made-up run: its size, its making, and how fast it opens and answers.

Usage: python bench/bench_report.py [--plates 20] [--compounds 2000] [--quick]
[--keep FOLDER]. Draws a run of 384-well plates with compounds at three or four doses,
a structure each, and pixels for cell pictures; the verb report makes its page in a
process of its own; Chromium opens the page. --quick is one plate of 100 compounds;
--keep leaves the run in a folder and takes it from there the next time. Needs chromium
and chromedriver. Prints one JSON object, its last line:

  size_mb          the page's file
  parts_mb         its islands by name, and all the rest
  build_s, peak_mb all processes of the verb together, start and imports within
  first_view_ms    from the start of the navigation until the header is painted
  ready_ms         until the page's script has run
  hits_ms          until hits or compounds are shown, scrolled to from the top
  open_compound_ms from the change of the address to the first answer
  filter_ms        from a search in the compound table until its rows have changed

Times are medians over --repeats openings. Bars are those of a whole campaign (BARS), or
of one plate with --quick (QUICK); the exit code is 1 where one is passed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.machine import ROOT, commit, rounded
from bench.memory import Tree, watched
from tests.browser import Browser, why_no_browser
from tests.report_run import Made, make_run

MB = 1e6
BARS = {
    **{"size_mb": 20, "build_s": 60, "peak_mb": 1000},
    **{"first_view_ms": 1500, "filter_ms": 100},
}
QUICK = {**BARS, "size_mb": 3, "build_s": 5}
_ISLAND = re.compile(r'<script type="text/plain" id="data-([^"]+)">([^<]*)</script>')
_VIEW = """
const told = performance.getEntriesByType('navigation')[0];
const paint = performance.getEntriesByName('first-contentful-paint')[0];
return [paint ? paint.startTime : null, told.domContentLoadedEventEnd];
"""
# Two frames after a change its picture is on the screen.
_FRAMES = """
const frames = () => new Promise((done) =>
  requestAnimationFrame(() => requestAnimationFrame(done)));
const until = async (is, most = 20000) => {
  const start = performance.now();
  while (!is()) {
    if (performance.now() - start > most) throw new Error("nothing came of it");
    await new Promise((done) => setTimeout(done, 4));
  }
  await frames();
  return performance.now() - start;
};
const section = document.getElementById("compounds") || document.getElementById("hits");
const rows = () => [...section.querySelectorAll("tbody tr")];
"""
_HITS = "section.scrollIntoView(); return until(() => rows().length > 0);"
_FILTER = """
const search = section.querySelector("input[type=search]");
const told = () => rows().map((r) => r.textContent).join();
const before = told();
const word = arguments[0];
const start = performance.now();
search.value = word;
search.dispatchEvent(new Event("input", { bubbles: true }));
return until(() => told() !== before).then(() => performance.now() - start);
"""
_OPEN = """
const told = () => document.body.innerText.length + "|" + scrollY + "|" +
  [...document.querySelectorAll("dialog[open]")].length;
const before = told();
const start = performance.now();
location.hash = "compound=" + arguments[0];
return until(() => told() !== before, 5000).then(() => performance.now() - start)
  .catch(() => null);
"""


def built(words: Sequence[str]) -> tuple[Path, float, float]:
    """The page, and seconds of the verb and the most memory of all its processes together."""
    command = [sys.executable, "-m", "screen", "report", *words]
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    with watched(Tree(process.pid), 0.02) as peak:
        status = process.wait()
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"the report was not made: {' '.join(command)}")
    folder = Path(words[1].removeprefix("runs=")) / words[0].removeprefix("run=")
    return folder / "report.html", seconds, peak.together / MB


def parts(page: Path) -> dict[str, float]:
    """Megabytes of each island, those of one name and many numbers together, and of the
    rest of the page."""
    found: dict[str, float] = {}
    for name, packed in _ISLAND.findall(page.read_text("utf-8")):
        kind = re.sub(r"-\d+$", "-*", name)
        found[kind] = found.get(kind, 0.0) + len(packed) / MB
    return found | {"rest": page.stat().st_size / MB - sum(found.values())}


def opened(browser: Browser, page: Path, word: str, rank: int) -> dict[str, Any]:
    """Times of one opening in milliseconds."""
    browser.open("about:blank")
    browser.open(page)
    first, ready = browser.js(_VIEW)
    found = {"first_view_ms": first, "ready_ms": ready}
    for name, script in (("hits_ms", _HITS), ("filter_ms", _FILTER)):
        found[name] = browser.js(_FRAMES + script, word)
    found["open_compound_ms"] = browser.js(_FRAMES + _OPEN, str(rank))
    wrong = {k: v for k, v in found.items() if isinstance(v, str)}
    if wrong:
        raise SystemExit(f"the page did not answer: {wrong}")
    return found


def seen(page: Path, word: str, rank: int, repeats: int) -> dict[str, Any]:
    """Medians of openings; None where the page gave no answer."""
    browser = Browser()
    try:
        each = [opened(browser, page, word, rank) for _ in range(repeats)]
        complaints = browser.complaints()
    finally:
        browser.quit()
    told = {k: [e[k] for e in each if e[k] is not None] for k in each[0]}
    medians = {k: statistics.median(v) if v else None for k, v in told.items()}
    return medians | {"complaints": complaints}


def the_run(root: Path, made: Made) -> list[str]:
    """The words that name a run in a folder, which is made unless it is there."""
    if not (root / "runs" / "made" / "manifest.json").is_file():
        return make_run(root, made).words
    return ["run=made", f"runs={root / 'runs'}"]


def measured(words: Sequence[str], repeats: int) -> dict[str, Any]:
    """All figures of a run's report."""
    page, seconds, peak = built(words)
    figures = {
        "size_mb": page.stat().st_size / MB,
        "parts_mb": parts(page),
        "build_s": seconds,
        "peak_mb": peak,
    }
    # The third rank is a hit in every made-up run; "stat" is part of many names.
    return figures | seen(page, "stat", 3, repeats)


def main(words: Sequence[str]) -> int:
    """Measure as the command line says; 1 where a bar is passed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--plates", type=int, default=20)
    parser.add_argument("--compounds", type=int, default=2000)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args(words)
    if why := why_no_browser():
        raise SystemExit(why)
    made = Made(1, 100) if given.quick else Made(given.plates, given.compounds)
    with tempfile.TemporaryDirectory(prefix="report-") as folder:
        run = the_run(given.keep or Path(folder), made)
        found = measured(run, given.repeats)
    bars = QUICK if given.quick else BARS
    passed = [k for k, bar in bars.items() if found[k] is None or found[k] > bar]
    about = {"plates": made.n_plates, "compounds": made.n_compounds}
    machine = {"commit": commit(), "cpus": os.cpu_count(), "load": os.getloadavg()[0]}
    print(json.dumps(rounded(about | found | {"missed": passed} | machine)))
    return 1 if passed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
