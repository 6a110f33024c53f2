"""Tables as files that spreadsheets open: nothing in them is calculated, and numbers stay as they are written."""

import csv
import re
from collections.abc import Iterable, Sequence
from io import TextIOBase
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from django.utils.translation import get_language
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.utils import get_column_letter

# A spreadsheet calculates what begins with one of these; the wide ones are what Chinese keyboards make.
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
# What a workbook's XML cannot hold.
UNSPEAKABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# A sheet of Excel holds so many rows; the first one has the headings.
ROWS_OF_A_SHEET = 1_048_576


class Sheet(Protocol):
    """A table that is being written into a file, row by row."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def add(self, cells: Sequence[str]) -> None:
        """Write the next row."""


def harmless(text: str) -> str:
    """The text as no spreadsheet takes it for a formula, nor a telephone number for a sum.

    Only for CSV: the apostrophe is what makes Excel and LibreOffice take a typed cell for a text.
    """
    return f"'{text}" if text.startswith(FORMULA_SIGNS) or text.lstrip().startswith(FORMULA_SIGNS) else text


def csv_writer(file: Any) -> Any:
    """A writer of the rows that a double click opens in the columns: separated by the language's own sign."""
    return csv.writer(file, delimiter=";" if get_language() == "fr" else ",")


class CsvSheet:
    """A CSV file with the mark of UTF-8, without which Excel guesses the letters wrong."""

    def __init__(self, path: Path, headings: Sequence[str]) -> None:
        self._file: TextIOBase = path.open("w", encoding="utf-8-sig", newline="")
        self._writer = csv_writer(self._file)
        self.add(headings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def add(self, cells: Sequence[str]) -> None:
        self._writer.writerow([harmless(UNSPEAKABLE.sub("", cell)) for cell in cells])


class XlsxSheet:
    """A workbook of one sheet whose every cell is a text; its headings stay in sight, and filter.

    Rows go to the disk as they come, so that the memory does not grow with them.
    """

    def __init__(self, path: Path, title: str, headings: Sequence[str], widths: Iterable[int]) -> None:
        self._path = path
        self._book = Workbook(write_only=True)
        self._sheet = self._book.create_sheet(title)
        self._sheet.freeze_panes = "A2"
        for number, width in enumerate(widths, start=1):
            self._sheet.column_dimensions[get_column_letter(number)].width = width
        self._last_column = get_column_letter(len(headings))
        self._row_count = 0
        self.add(headings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        # After an error too: only then does openpyxl delete the rows that it keeps aside.
        self._sheet.auto_filter.ref = f"A1:{self._last_column}{self._row_count}"
        self._book.save(self._path)

    def add(self, cells: Sequence[str]) -> None:
        self._sheet.append([self._cell(UNSPEAKABLE.sub("", cell)) for cell in cells])
        self._row_count += 1

    def _cell(self, text: str) -> Any:
        """The text; where openpyxl would see a formula or the name of an error in it, told that it is a text."""
        if not text.startswith(("=", "#")):
            return text
        cell = WriteOnlyCell(self._sheet, value=text)
        cell.data_type = "s"
        return cell
