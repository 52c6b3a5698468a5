"""The verb view: serve a run to a browser on this machine until Ctrl-C."""

from __future__ import annotations

import os
import socket
import sys
import threading
import webbrowser
from typing import NoReturn
from urllib.parse import urlencode

from screen.errors import Outcome, rendered
from screen.view_settings import ViewVerb, place_of
from screen.viewer.pages import Site
from screen.viewer.server import Viewer, listen
from screen.viewer.viewed_run import ViewedRun, viewed


def run(settings: ViewVerb) -> Outcome:
    """Serve until the process is told to stop; that is the end of it, exit code 0.

    Raises Refusal or InputError before anything is served where the run, the campaign
    or the well is not there, or a table is not what was written.
    """
    subject = viewed(settings)
    viewer = listen(settings.port, Site(subject))
    serving = threading.Thread(target=viewer.serve_forever, args=(0.1,), daemon=True)
    serving.start()
    try:
        place = _place(settings)
        print(_said(settings, subject, viewer, place), flush=True)
        if settings.open_browser and has_screen():
            _open(viewer.address(place, viewer.door.new_pass()))
        _wait()
    except KeyboardInterrupt:
        return Outcome(0, "the viewer has ended; nothing was changed", is_answer=True)
    finally:
        viewer.end()


def _wait() -> NoReturn:
    """Wait for the signal that ends the process."""
    # Polars' handler of Ctrl-C has the system go on with a wait that it breaks into: one
    # without an end would never hear of it.
    never = threading.Event()
    while True:
        never.wait(0.25)


def _place(settings: ViewVerb) -> str:
    if not settings.well:
        return "/"
    plate, well = place_of(settings.well)
    return f"/well?{urlencode({'plate': plate, 'well': well})}"


def _said(settings: ViewVerb, subject: ViewedRun, viewer: Viewer, place: str) -> str:
    port = viewer.server_address[1]
    lines = [f"run {subject.folder}, for this machine alone; Ctrl-C ends it"]
    if port != settings.port:
        lines.append(f"port {settings.port} is taken, so it listens on {port}")
    if subject.no_images:
        lines += ["no images are shown:", rendered(subject.no_images)]
    if not subject.report.is_file():
        lines.append(f"no report yet: senoscreen report run={subject.folder.name}")
    if not has_screen():
        tunnel = f"ssh -L {port}:127.0.0.1:{port} {socket.gethostname()}"
        lines.append(f"from another machine, first there: {tunnel}")
    return "\n".join([*lines, "open", f"  {viewer.address(place, viewer.door.token)}"])


def has_screen() -> bool:
    """Whether a browser of its own window can open: without, one of text would take
    the terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _open(address: str) -> threading.Thread:
    """Ask for a browser beside the server; without one the printed address is enough."""

    def ask() -> None:
        try:
            webbrowser.open(address)
        except (webbrowser.Error, OSError) as error:
            print(f"no browser opened: {type(error).__name__}", file=sys.stderr)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    return asking
