"""Lists of clients as people keep them: CSV in the encodings that spreadsheets write, and XLSX, read into lines.

Nothing here looks at the database. Files come from outside: whatever is in one, it gives lines or UnreadableFile.
"""

import csv
import io
import logging
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.utils.translation import gettext as _
from openpyxl import load_workbook

from agent_chine_app import client_words

logger = logging.getLogger(__name__)

BYTES_AT_MOST = 2 * 1024 * 1024
LINES_AT_MOST = 5000
# A list of 5,000 clients takes 1 to 3 MB unpacked: far more is a bomb, or a sheet that is formatted down to its end,
# and each megabyte takes the reader half a second.
UNPACKED_AT_MOST = 8 * 1024 * 1024
COLUMNS_AT_MOST = 50
# Lines with gaps between them; each row that is left out up to one far below costs time.
ROWS_AT_MOST = 4 * LINES_AT_MOST
TITLES_AT_MOST = 10  # rows above the one that names the columns
CELL_AT_MOST = 500
OLD_OFFICE = b"\xd0\xcf\x11\xe0"  # .xls, and .xlsx with a password

Rows = Iterable[Sequence[Any]]


class UnreadableFile(ValueError):
    """The file gives no lines. The message is a sentence for people, with what to do."""


@dataclass(frozen=True)
class Line:
    """One client as they stand in the file; `number` is the spreadsheet's own, `cells` go by the column's name."""

    number: int
    cells: dict[str, str]


def read(content: bytes) -> list[Line]:
    """The lines of the file, at most LINES_AT_MOST of them. Raises UnreadableFile."""
    if len(content) > BYTES_AT_MOST:
        raise UnreadableFile(_("The file is larger than 2 MB. Divide it into several files."))
    if not content.strip():
        raise UnreadableFile(_("The file is empty."))
    if content.startswith(OLD_OFFICE):
        raise UnreadableFile(
            _("This is an old Excel file (.xls), or one with a password. Save it as .xlsx without a password.")
        )
    lines = _lines(_rows_of_xlsx(content) if content.startswith(b"PK") else _rows_of_csv(_decode(content)))
    if not lines:
        raise UnreadableFile(_("The file names its columns, but there is no client below."))
    return lines


def _lines(rows: Rows) -> list[Line]:
    numbered = enumerate(rows, 1)
    columns = _columns(numbered)
    lines: list[Line] = []
    for number, row in numbered:
        cells = {name: clean(row[place]) if place < len(row) else "" for place, name in columns.items()}
        if not any(cells.values()):
            continue
        if len(lines) == LINES_AT_MOST:
            raise UnreadableFile(_("The file has more than 5,000 lines. Divide it into several files."))
        lines.append(Line(number, cells))
    return lines


def _columns(numbered: Iterator[tuple[int, Sequence[Any]]]) -> dict[int, str]:
    """The columns that we read, by their place; the rows down to the one that names them are taken."""
    filled = ((number, row) for number, row in numbered if any(map(clean, row)))
    for _number, row in islice(filled, TITLES_AT_MOST):
        columns = _columns_in(row)
        if "telephone" in columns.values():
            if not {"name", "surname_first", "last_name"} & set(columns.values()):
                raise UnreadableFile(_("No column has the clients’ names. Name it “Last name” or “Full name”."))
            return columns
    raise UnreadableFile(
        _("No column has the clients’ telephone numbers. The first line must name the columns, as in the example.")
    )


def _columns_in(row: Sequence[Any]) -> dict[int, str]:
    columns: dict[int, str] = {}
    for place, heading in enumerate(row[:COLUMNS_AT_MOST]):
        name = client_words.column(clean(heading))
        if name and name not in columns.values():
            columns[place] = name
    return columns


def clean(value: Any) -> str:
    """A cell's value as text: without signs that nobody sees, and without the apostrophe that made it a text."""
    if value is None or value == "":
        return ""
    text = unicodedata.normalize("NFC", _text(value)[:CELL_AT_MOST])
    seen = "".join(" " if unicodedata.category(each) == "Cc" else each for each in text if _is_seen(each))
    text = " ".join(seen.split())
    return text[1:] if re.match("['’][=+@-]", text) else text


def _is_seen(letter: str) -> bool:
    # Telephones put marks of direction around the numbers that are copied from them.
    return unicodedata.category(letter) not in ("Cf", "Cs")


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    return str(value)


# --- CSV


def _decode(content: bytes) -> str:
    for encoding in _encodings(content):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise UnreadableFile(_("This is neither a CSV file nor an Excel file (.xlsx)."))


def _encodings(content: bytes) -> list[str]:
    """What the bytes may be written in, the most likely one first."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ["utf-16"]
    if b"\x00" in content:
        return ["utf-16-le" if content[1:2] == b"\x00" else "utf-16-be"]
    # Chinese goes by pairs of high bytes; an accent of French stands alone among plain letters.
    high = len(re.findall(rb"[\x80-\xff]", content))
    alone = len(re.findall(rb"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])", content))
    legacy = ["gb18030", "cp1252"] if alone * 2 < high else ["cp1252", "gb18030"]
    return ["utf-8-sig", *legacy]


def _rows_of_csv(text: str) -> Rows:
    first, _break, rest = text.partition("\n")
    if first.strip().lower().startswith("sep="):  # Excel's own line, which it does not count
        text = rest
    sign = max(";,\t", key=lambda sign: _known_columns(_divided_by(sign, text)))
    return _divided_by(sign, text)


def _divided_by(sign: str, text: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=sign)
    except csv.Error as error:
        raise UnreadableFile(_("The file is damaged: a quotation mark is opened and never closed.")) from error


def _known_columns(rows: Iterator[list[str]]) -> int:
    """How many columns that we read are named in one of the first rows."""
    return max((len(_columns_in(row)) for row in islice(rows, 10 * TITLES_AT_MOST)), default=0)


# --- XLSX


def _rows_of_xlsx(content: bytes) -> Rows:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
        if unpacked > UNPACKED_AT_MOST:
            raise UnreadableFile(
                _("The file is too large when it is unpacked. Copy the lines into a new file, without formats.")
            )
        yield from _rows_of_first_sheet(content)
    except UnreadableFile:
        raise
    except Exception as error:  # the reader raises whatever a damaged file makes it stumble over
        logger.exception("An XLSX file could not be read")
        raise UnreadableFile(_("The file is damaged, or is no Excel file (.xlsx). Save it again.")) from error


def _rows_of_first_sheet(content: bytes) -> Rows:
    book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
    sheet = book.worksheets[0]
    # What a sheet says of its own size may be wrong.
    sheet.reset_dimensions()
    return sheet.iter_rows(max_row=ROWS_AT_MOST, max_col=COLUMNS_AT_MOST, values_only=True)
