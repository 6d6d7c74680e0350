"""Writes ``docs/unit.webp`` and ``docs/bed.webp``: the dashboard on the demo's ward at one time, for the README.

Run ``python docs/screens.py`` from the top of the repository after a change to the dashboard, the demo or a rule pack.
It runs the service and a Chromium; pixels depend on the machine's fonts.
"""
# ruff: noqa: INP001 - a script, imported by nothing

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from tests.dashboard.bedside import Bedside, at
from tests.dashboard.browser import ARGUMENTS, find

HERE: Final = Path(__file__).parent
TIME: Final = "10:59"
SILENT: Final = {"bed-6": at("08:20")}
PICTURES: Final = {
    "unit": ("", (".tile", ".link-state[data-link=live]")),
    "bed": ("#/bed/bed-9", (".parts", ".trend canvas", ".explanation h4", ".link-state[data-link=live]")),
}
"""What is drawn: the address of the view, and what is there once it is complete."""

QUALITY: Final = 0.82
_ENCODE: Final = """async ([png, quality]) => {
    const image = new Image();
    image.src = `data:image/png;base64,${png}`;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.width;
    canvas.height = image.height;
    canvas.getContext("2d").drawImage(image, 0, 0);
    return canvas.toDataURL("image/webp", quality).split(",")[1];
}"""


def draw(browser: Browser, service: Bedside, view: str, complete: Sequence[str]) -> bytes:
    """One view as a WebP."""
    context = browser.new_context(viewport={"width": 1920, "height": 1080}, timezone_id="UTC", locale="en-GB")
    page = context.new_page()
    page.goto(service.url + view)
    for selector in complete:
        page.locator(selector).first.wait_for()
    png = base64.b64encode(page.screenshot()).decode()
    blank = context.new_page()
    encoded: str = blank.evaluate(_ENCODE, [png, QUALITY])
    context.close()
    return base64.b64decode(encoded)


def main() -> None:
    """Write all pictures."""
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        service = Bedside(Path(folder), silent=SILENT)
        service.play(at(TIME))
        browser = playwright.chromium.launch(executable_path=find(), args=[*ARGUMENTS])
        for name, (view, complete) in PICTURES.items():
            (HERE / f"{name}.webp").write_bytes(draw(browser, service, view, complete))
        browser.close()
        service.stop()


if __name__ == "__main__":
    main()
