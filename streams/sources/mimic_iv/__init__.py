"""Source MIMIC-IV: the public ICU research database as a log of events.

`convert` yields the events and fills an `ImportReport`, whose ``lines()`` say what became of every row.
"""

from streams.sources.mimic_iv.importer import convert
from streams.sources.mimic_iv.report import ImportReport
from streams.sources.mimic_iv.tables import MimicFolderError

__all__ = ["ImportReport", "MimicFolderError", "convert"]
