"""Writes ``docs/openapi.json``, what the embedded service answers, from its paths and models.

Run ``python docs/openapi.py`` from the top of the repository after a change to them.
"""
# ruff: noqa: INP001 - a script, imported by nothing

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

from monitor.service.app import describe, make_app
from monitor.service.guard import Guard
from monitor.service.service import Service
from streams.embedded.wall import system_wall

DOCUMENT: Final = Path(__file__).with_name("openapi.json")


def render() -> str:
    """The document; the service need not run for that."""
    return json.dumps(describe(make_app(_closed, Guard(None, system_wall))), indent=2, ensure_ascii=False) + "\n"


def _closed() -> AbstractAsyncContextManager[Service]:
    raise NotImplementedError


if __name__ == "__main__":
    DOCUMENT.write_text(render(), encoding="utf-8")
