"""Writes ``docs/demo.svg``: some of what ``rescue-monitor demo`` prints, as a picture for the README.

Run ``python docs/picture.py`` from the top of the repository after a change to the demo, a rule pack or the output.
"""
# ruff: noqa: INP001 - a script, imported by nothing

from __future__ import annotations

from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Final

from rich.console import Console

from monitor.demo.build import DAY, LOG
from monitor.render import Renderer
from monitor.terminal import WIDTH
from rules.packs import load_packs
from rules.settings import SiteSettings
from streams.logfile import read_log
from streams.replay import replay
from streams.summary import Tally
from streams.ward import Ward

PICTURE: Final = Path(__file__).with_name("demo.svg")

SHOWN: Final = (("bed-2", "09:10", "09:10"), ("bed-3", "10:10", "10:10"), ("bed-9", "10:50", "10:50"))
"""What of the demo it shows: a bed, and the first and the last minute."""

_SVG: Final = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""As rich draws it, without fonts from elsewhere."""


def draw() -> str:
    """The chosen part of the demo's output as an SVG."""
    console = Console(file=StringIO(), width=WIDTH, force_terminal=True, color_system="256", highlight=False)
    renderer = Renderer(console)
    with read_log(LOG, lambda _: None) as log:
        for change in replay((event for _, event in log), Ward(load_packs(), SiteSettings()), Tally()):
            console.record = any(
                change.patient == bed and _minute(begin) <= change.decided_at.replace(second=0) <= _minute(end)
                for bed, begin, end in SHOWN
            )
            renderer.show(change)
    return console.export_svg(title="rescue-monitor demo", code_format=_SVG, unique_id="demo")


def _minute(at: str) -> datetime:
    hour, minute = map(int, at.split(":"))
    return DAY.replace(hour=hour, minute=minute)


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
