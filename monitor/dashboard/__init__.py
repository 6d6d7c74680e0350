"""The bedside dashboard: static files that a browser loads as they are, under a strict content policy."""

from __future__ import annotations

from pathlib import Path
from typing import Final

STATIC: Final = Path(__file__).parent / "static"
"""The folder to serve at ``/``: ``index.html``, its ES modules and style sheets, and ``vendor/``."""
