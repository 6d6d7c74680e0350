"""Reads MIMIC-IV's CSV files, plain or gzipped, a row at a time; a malformed row costs only itself."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import IO, Final

from streams.sources.mimic_iv.report import ImportReport

_DAMAGE: Final = (EOFError, gzip.BadGzipFile, zlib.error)


class MimicFolderError(ValueError):
    """The folder is not a MIMIC-IV folder: a required table or column is missing."""


def find(directory: Path, table: str) -> Path | None:
    """The file of a table such as ``icu/icustays``: ``.csv`` or else ``.csv.gz``."""
    for suffix in (".csv", ".csv.gz"):
        path = directory / f"{table}{suffix}"
        if path.is_file():
            return path
    return None


def require(directory: Path, table: str) -> Path:
    """The file of a table without which nothing can be done.

    Raises:
        MimicFolderError: naming the folder and the file expected in it.
    """
    path = find(directory, table)
    if path is None:
        msg = (
            f"{directory} is not a MIMIC-IV folder: expected {table}.csv or {table}.csv.gz in it "
            f"(the folder that holds hosp/ and icu/)"
        )
        raise MimicFolderError(msg)
    return path


def rows(
    directory: Path, table: str, columns: Sequence[str], report: ImportReport, optional: Sequence[str] = ()
) -> Iterator[tuple[str, ...]]:
    """The values of some columns of a table, row by row, in the order of ``columns`` and then of ``optional``.

    A missing table yields nothing and is noted in the report. A missing optional column reads as empty. A row with
    another number of fields than the header is counted as malformed.

    Raises:
        MimicFolderError: if a required column is missing.
    """
    path = find(directory, table)
    if path is None:
        if table not in report.missing_tables:
            report.missing_tables.append(table)
        return
    with _open(path) as file:
        reader = csv.reader(file, strict=True)
        name = path.name
        header = _next(reader, report, table, name)
        if header is None:
            header = []
        pick = _picker(path, header, columns, optional)
        width = len(header)
        while (row := _next(reader, report, table, name)) is not None:
            if len(row) != width:
                if row:
                    report.mangled(table, name, reader.line_num, f"{len(row)} fields instead of {width}")
                continue
            report.rows_read[table] += 1
            yield pick([*row, ""])


def _next(reader: Iterator[list[str]], report: ImportReport, table: str, name: str) -> list[str] | None:
    """The next row that the CSV reader understands, None at the end or where compressed data are damaged."""
    while True:
        try:
            return next(reader)
        except StopIteration:
            return None
        except csv.Error as error:
            report.mangled(table, name, getattr(reader, "line_num", 0), str(error))
        except _DAMAGE as error:
            report.mangled(table, name, getattr(reader, "line_num", 0), f"the file is damaged from here on: {error}")
            return None


def _picker(
    path: Path, header: Sequence[str], columns: Sequence[str], optional: Sequence[str]
) -> Callable[[Sequence[str]], tuple[str, ...]]:
    places = {column.strip().lstrip("\ufeff").lower(): place for place, column in enumerate(header)}
    missing = [column for column in columns if column not in places]
    if missing:
        msg = f"{path.name} has no column {', '.join(missing)}; its header is: {', '.join(header) or 'empty'}"
        raise MimicFolderError(msg)
    # A missing optional column is read from the empty field that is added behind each row.
    return itemgetter(*(places.get(column, len(header)) for column in (*columns, *optional)))


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", errors="replace", newline="")
    return path.open(encoding="utf-8", errors="replace", newline="")
