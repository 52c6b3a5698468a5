"""A headless browser for tests: what it showed, said and asked for."""

from __future__ import annotations

import base64
import json
import os
import shutil
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

WIDE, NARROW = (1440, 900), (390, 844)
_OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    # Tests follow more addresses within a page than a person in the same time.
    "--disable-ipc-flooding-protection",
    "--force-device-scale-factor=1",
)


def why_no_browser() -> str:
    """Why no browser can be driven here; empty where one can."""
    missing = [n for n in ("chromium", "chromedriver") if shutil.which(n) is None]
    if not missing:
        return ""
    return (
        f"{' and '.join(missing)} not found: apt-get install chromium chromium-driver"
    )


class Browser:
    """Chromium without a window; close it with ``quit``."""

    def __init__(self) -> None:
        options = Options()
        options.binary_location = str(shutil.which("chromium"))
        for option in _OPTIONS:
            options.add_argument(option)
        options.set_capability(
            "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
        )
        service = Service(str(shutil.which("chromedriver")), env=dict(os.environ))
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_script_timeout(60)
        self.resize(WIDE)

    def resize(self, size: tuple[int, int]) -> None:
        """Set the size of the page in CSS pixels."""
        # A window cannot be narrower than 500 px; the page can.
        shape = {"width": size[0], "height": size[1]}
        more = {"deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", shape | more)

    def open(self, page: Path | str) -> None:
        """Open a file or an address, with the logs of earlier pages thrown away."""
        for kind in ("browser", "performance"):
            self._log(kind)
        self.driver.get(page.resolve().as_uri() if isinstance(page, Path) else page)

    def js(self, script: str, *arguments: Any) -> Any:
        """What a script of the page returns; a promise is waited for."""
        wrapped = "const done = arguments[arguments.length - 1];" + (
            f"Promise.resolve((function() {{ {script} }}).apply(null, arguments))"
            ".then(done, (e) => done('ERROR ' + e));"
        )
        return self.driver.execute_async_script(wrapped, *arguments)

    def complaints(self) -> list[str]:
        """What the page wrote to the console since it was opened: errors and warnings."""
        return [
            str(entry["message"])
            for entry in self._log("browser")
            if entry["level"] in ("SEVERE", "WARNING")
        ]

    def requests(self) -> list[str]:
        """Every address asked for since the page was opened, but not data: and blob:."""
        events = (
            json.loads(entry["message"])["message"]
            for entry in self._log("performance")
        )
        urls = [
            str(event["params"]["request"]["url"])
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
        return [u for u in urls if not u.startswith(("data:", "blob:"))]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        untyped: Any = self.driver.get_log
        entries: list[dict[str, Any]] = untyped(kind)
        return entries

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """A screenshot of the window, or of the whole page."""
        asked: dict[str, Any] = {"format": "png", "captureBeyondViewport": whole}
        if whole:
            size = self.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})
            box = size["cssContentSize"]
            asked["clip"] = {"x": 0, "y": 0, "scale": 1} | {
                k: box[k] for k in ("width", "height")
            }
        found = self.driver.execute_cdp_cmd("Page.captureScreenshot", asked)
        path.write_bytes(base64.b64decode(found["data"]))

    def quit(self) -> None:
        """End the browser."""
        self.driver.quit()
