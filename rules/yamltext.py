"""Which reader of YAML is used: a safe one, in C where the library has it, which is ten times faster."""

from __future__ import annotations

from typing import Any, Final

import yaml

LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
