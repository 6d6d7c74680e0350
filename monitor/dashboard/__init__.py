"""The bedside dashboard: static files that a browser loads as they are, and the headers they are served with."""

from __future__ import annotations

from pathlib import Path
from typing import Final

STATIC: Final = Path(__file__).parent / "static"
"""The folder to serve at ``/``: ``index.html``, its ES modules and style sheets, and ``vendor/``."""

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""With what every file of it is answered. No inline script or style, no evaluation of text, nothing from elsewhere."""
