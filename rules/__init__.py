"""Decides: the pure core that turns facts about a patient into verdicts and suggestions."""

from typing import Final

VERSION: Final = "0.1.0"
"""The version of the project; a patient in whom one version had a fault is tried again by the next."""
