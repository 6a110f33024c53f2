"""Lists of clients as files to take away: an example to fill in, and the lines that are to be mended."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from openpyxl import Workbook

from agent_chine_app.client_lines import Flaw
from whatsapp_monitoring_app.services import spreadsheets

# What each column is called in a file that we give; reading it again knows these words in every language.
HEADINGS: Mapping[str, Promise] = {
    "telephone": gettext_lazy("Telephone"),
    "first_name": gettext_lazy("First name"),
    "last_name": gettext_lazy("Last name"),
    "name": gettext_lazy("Full name"),
    "surname_first": gettext_lazy("Last name and first name"),
    "email": gettext_lazy("E-mail"),
    "language": gettext_lazy("Language"),
    "country": gettext_lazy("Country"),
}
EXAMPLE_COLUMNS = ("telephone", "first_name", "last_name", "email", "language", "country")
EXAMPLE = (
    ("+223 76 12 34 56", "Awa", "Traoré", "awa@example.com", "fr", "Mali"),
    ("138 0013 8000", "伟", "王", "", "zh", "中国"),
    ("+225 07 07 12 34 56", "Jean-Marc", "Kouassi", "", "fr", "Côte d’Ivoire"),
)


def example_csv() -> bytes:
    return _csv([_headings(EXAMPLE_COLUMNS), *EXAMPLE])


def example_xlsx() -> bytes:
    """The example as a workbook whose cells are texts, so that numbers stay as they are typed."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (_headings(EXAMPLE_COLUMNS), *EXAMPLE):
        sheet.append(row)
    for cell in (cell for column in sheet.iter_cols(max_row=500) for cell in column):
        cell.number_format = "@"
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


@dataclass(frozen=True)
class LeftOut:
    """A line that an import leaves out: its number, what stands there, and what is wrong, for whoever reads it."""

    number: int
    text: str
    reasons: list[str]


def left_out(error: Mapping[str, Any]) -> LeftOut:
    """A line out of ClientImport.errors, in the language of the page."""
    cells = (error["cells"].get(name) for name in HEADINGS)
    return LeftOut(error["number"], " · ".join(filter(None, cells)), _reasons(error))


def left_out_csv(errors: Iterable[Mapping[str, Any]]) -> bytes:
    """The lines that an import leaves out, in the columns that they had, with their number and what is wrong.

    It can be mended and brought in as it is.
    """
    errors = list(errors)
    columns = [name for name in HEADINGS if any(name in error["cells"] for error in errors)]
    heads = [*_headings(columns), _("Line"), _("What is wrong")]
    lines = (
        [*(error["cells"].get(name, "") for name in columns), str(error["number"]), " ".join(_reasons(error))]
        for error in errors
    )
    return _csv([heads, *([spreadsheets.harmless(cell) for cell in line] for line in lines)])


def _reasons(error: Mapping[str, Any]) -> list[str]:
    return [
        _("The same number stands in line %(line)s; only that one is brought in.") % {"line": there}
        if flaw == Flaw.DOUBLE
        else f"{_quoted(there)}{Flaw(flaw).label}"
        for flaw, there in error["flaws"]
    ]


def _quoted(text: str) -> str:
    return _("“%(text)s”: ") % {"text": text} if text else ""


def _headings(columns: Iterable[str]) -> list[str]:
    return [str(HEADINGS[name]) for name in columns]


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    """The rows as spreadsheets open them by a double click: with the mark of UTF-8, and the language's own sign."""
    text = io.StringIO(newline="")
    spreadsheets.csv_writer(text).writerows(rows)
    return text.getvalue().encode("utf-8-sig")
