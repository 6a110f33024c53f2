"""Lists of clients as spreadsheets write them, and what is made of each line."""

import io
import zipfile
from contextlib import suppress
from datetime import date
from typing import Any

import pytest
from django.utils import translation
from hypothesis import example, given
from hypothesis import strategies as st
from openpyxl import Workbook

from agent_chine_app import client_files, client_lines, client_sheets, client_words
from agent_chine_app.client_files import UnreadableFile, read
from agent_chine_app.client_lines import Flaw, judge

NUMBER = "+22376123456"
HEADINGS = ("Téléphone", "Prénom", "Nom")
FRENCH = [HEADINGS, (NUMBER, "Aïssata", "Traoré"), ("+22366001122", "Noël", "Koné")]
CHINESE = [("电话", "姓", "名"), ("13800138000", "王", "伟"), ("13900139000", "堃", "喆")]


def csv_of(rows: Any, sign: str = ";", encoding: str = "utf-8") -> bytes:
    return "\r\n".join(sign.join(row) for row in rows).encode(encoding)


def xlsx_of(rows: Any, *more_sheets: Any) -> bytes:
    book = Workbook()
    for number, lines in enumerate((rows, *more_sheets)):
        sheet = book.active if number == 0 else book.create_sheet()
        for row in lines:
            sheet.append(row)  # type: ignore[union-attr]
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def cells(content: bytes) -> list[list[str]]:
    return [list(line.cells.values()) for line in read(content)]


@pytest.mark.parametrize("sign", [";", ",", "\t"], ids=["semicolon", "comma", "tab"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "gb18030"])
def test_every_way_that_a_spreadsheet_writes_csv_is_read(encoding: str, sign: str):
    rows = CHINESE if encoding == "gb18030" else FRENCH

    assert cells(csv_of(rows, sign, encoding)) == [list(row) for row in rows[1:]]


@given(
    st.lists(
        st.text("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗伟芳娜敏静丽强磊军洋勇艳杰涛明超", min_size=2, max_size=4),
        min_size=1,
    )
)
def test_chinese_names_of_chinese_excel_are_read(names: list[str]):
    content = csv_of([("电话", "姓名"), *((NUMBER, name) for name in names)], ",", "gb18030")

    assert [line.cells["name"] for line in read(content)] == names


@given(st.binary(max_size=300))
@example(b"\xff\xfe\x00")
@example(b"PK\x03\x04")
@example(b'telephone;nom\n"')
def test_whatever_is_in_a_file_it_gives_lines_or_a_sentence(content: bytes):
    for start in (b"", b"telephone;nom\n"):
        with suppress(UnreadableFile):
            judge(read(start + content))


@given(st.dictionaries(st.sampled_from(sorted(client_words.HEADINGS)), st.text(max_size=200)))
def test_whatever_stands_in_a_line_it_is_good_or_bad(found: dict[str, str]):
    texts = {name: client_files.clean(text) for name, text in found.items()}
    judgement = judge([client_files.Line(2, {"telephone": "", **texts})])

    assert len(judgement.good) + len(judgement.bad) == 1
    assert "\x00" not in repr(judgement)


@pytest.mark.parametrize(
    ("headings", "columns"),
    [
        ("TELEPHONE;PRENOM;NOM;E-MAIL;LANGUE;PAYS", "telephone first_name last_name email language country"),
        ("phone;First Name;last_name;email;Language;Country", "telephone first_name last_name email language country"),
        ("手机;名;姓;邮箱;语言;国家", "telephone first_name last_name email language country"),
        ("N° de téléphone;Nom et prénoms", "telephone surname_first"),
        ("Code;Full name;Phone;Remarks", "name telephone"),
        ("电话;姓名;电话", "telephone name"),
    ],
)
def test_columns_are_known_in_three_languages_and_any_order(headings: str, columns: str):
    (line,) = read(f"{headings}\n{';'.join('1' * len(headings.split(';')))}".encode())

    assert list(line.cells) == columns.split()


def test_titles_and_empty_lines_keep_the_numbers_of_the_spreadsheet():
    content = csv_of([("Clients 2026",), ("",), HEADINGS, FRENCH[1], ("", "", ""), FRENCH[2]])

    assert [line.number for line in read(content)] == [4, 6]
    assert [line.number for line in read(b"sep=;\r\n" + content)] == [4, 6]


def test_a_workbook_gives_numbers_dates_and_the_values_of_formulas_of_its_first_sheet():
    rows = [("Phone", "First name", "Last name"), (22376123456.0, "Awa", 12), (7.6e7, True, date(2026, 11, 22))]

    assert cells(xlsx_of(rows, FRENCH)) == [
        ["22376123456", "Awa", "12"],
        ["76000000", "True", "2026-11-22 00:00:00"],
    ]


def test_a_formula_without_a_stored_value_is_an_empty_cell():
    (line,) = read(xlsx_of([HEADINGS, (NUMBER, '=HYPERLINK("http://example.com")', "Koné")]))

    assert line.cells["first_name"] == ""


def bomb() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"\0" * (client_files.UNPACKED_AT_MOST + 1))
    return content.getvalue()


def changed(content: bytes, name: str, old: bytes, new: bytes) -> bytes:
    """The workbook with something replaced in one of its parts."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(result, "w") as after:
        for part in before.namelist():
            text = before.read(part)
            after.writestr(part, text.replace(old, new) if part == name else text)
    return result.getvalue()


WORKBOOK = xlsx_of(FRENCH)
SHEET = "xl/worksheets/sheet1.xml"
LAUGHS = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><worksheet '
UNREADABLE = {
    "nothing": (b"", "empty"),
    "blanks": (b" \r\n\t ", "empty"),
    "old Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500, ".xls"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1", "neither"),
    "a PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "telephone"),
    "no telephone": (csv_of([("Nom", "Prénom"), ("Koné", "Noël")]), "telephone"),
    "no names": (csv_of([("Téléphone", "Prénom"), (NUMBER, "Noël")]), "names"),
    "columns only": (csv_of([HEADINGS]), "no client"),
    "a quotation mark": (csv_of([HEADINGS, ('"', "a", "x" * 140_000)]), "quotation"),
    "too large": (b"x" * (client_files.BYTES_AT_MOST + 1), "2 MB"),
    "too many lines": (csv_of([HEADINGS, *[FRENCH[1]] * 5001]), "5,000"),
    "too many rows": (xlsx_of([HEADINGS, *[FRENCH[1]] * 5001]), "5,000"),
    "a zip bomb": (bomb(), "unpacked"),
    "half a workbook": (WORKBOOK[: len(WORKBOOK) // 2], "damaged"),
    "another zip": (changed(WORKBOOK, SHEET, b"<", b""), "damaged"),
    "entities": (changed(WORKBOOK, SHEET, b"<worksheet ", LAUGHS), "damaged"),
}


@pytest.mark.parametrize("name", list(UNREADABLE))
def test_a_file_that_gives_no_lines_is_refused_with_a_sentence(name: str):
    content, word = UNREADABLE[name]
    with translation.override("en"), pytest.raises(UnreadableFile, match=word):
        read(content)


def test_a_row_far_below_and_a_cell_far_right_cost_nothing():
    far = changed(WORKBOOK, SHEET, b'<row r="3"', b'<row r="1999999999"')

    assert len(read(far)) == 1
    assert cells(changed(WORKBOOK, SHEET, b'r="C2"', b'r="XFD2"'))[0] == [NUMBER, "Aïssata", ""]


def test_five_thousand_lines_are_read():
    assert len(read(csv_of([HEADINGS, *[FRENCH[1]] * 5000]))) == 5000


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("+223 76 12 34 56", None, NUMBER),
        ("00223 76-12-34-56", None, NUMBER),
        ("22376123456", None, NUMBER),
        ("22376123456.0", None, NUMBER),
        ("\u202a+223 76 12 34 56\u202c", None, NUMBER),
        ("＋223 76123456", None, NUMBER),
        ("'+22376123456", None, NUMBER),
        ("76 12 34 56", "ML", NUMBER),
        ("22376123456", "ML", NUMBER),
        ("138 0013 8000", None, "+8613800138000"),
        ("13800138000", "ML", "+8613800138000"),
        ("8613800138000", None, "+8613800138000"),
        ("707123456", "CI", "+2250707123456"),
        ("2250707123456", None, "+2250707123456"),
        ("06 12 34 56 78", "FR", "+33612345678"),
    ],
)
def test_a_number_is_understood_as_people_and_spreadsheets_write_it(text: str, country: str | None, number: str):
    assert client_lines.telephone(client_files.clean(text), country) == number


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("", Flaw.NO_TELEPHONE),
        ("76 12 34 56", Flaw.BAD_TELEPHONE),
        ("+22312", Flaw.BAD_TELEPHONE),
        ("Awa 76123456", Flaw.BAD_TELEPHONE),
        ("+22376123456 / +22366001122", Flaw.BAD_TELEPHONE),
        ("2.23761E+10", Flaw.SHORTENED),
        ("2,23761e10", Flaw.SHORTENED),
    ],
)
def test_a_number_that_may_be_somebody_else_s_is_refused(text: str, flaw: Flaw):
    with pytest.raises(ValueError, match=flaw):
        client_lines.telephone(text)


@pytest.mark.parametrize(
    ("text", "first_name", "last_name"),
    [
        ("Awa Traoré", "Awa", "Traoré"),
        ("Fatoumata Binta Diallo", "Fatoumata Binta", "Diallo"),
        ("TRAORÉ Awa", "Awa", "TRAORÉ"),
        ("Traoré, Awa", "Awa", "Traoré"),
        ("王伟", "伟", "王"),
        ("王 小明", "小明", "王"),
        ("欧阳娜娜", "娜娜", "欧阳"),
        ("Awa", "", "Awa"),
        ("", "", ""),
    ],
)
def test_a_name_in_one_column_is_divided(text: str, first_name: str, last_name: str):
    assert client_lines.divide_name(text) == (first_name, last_name)


def judged(**found: str) -> client_lines.Judgement:
    texts = {"telephone": NUMBER, "first_name": "Awa", "last_name": "Traoré", **found}
    return judge([client_files.Line(2, texts)])


def test_a_line_says_everything_that_is_wrong_with_it():
    (bad,) = judged(telephone="12", first_name="", email="nobody", language="klingon", country="Atlantis").bad

    assert bad.flaws == [
        ("bad_telephone", "12"),
        ("no_name", "Traoré"),
        ("bad_email", "nobody"),
        ("unknown_language", "klingon"),
        ("unknown_country", "Atlantis"),
    ]
    assert judged(last_name="x" * 151).bad[0].flaws == [("long_name", "x" * 151)]
    assert judged(email=f"{'x' * 60}@{'y' * 60}.{'z' * 60}.{'y' * 60}.{'z' * 60}.com").bad


@pytest.mark.parametrize(
    ("found", "language", "country"),
    [
        ({}, "fr", "ML"),
        ({"language": "Anglais", "country": "Côte d’Ivoire"}, "en", "CI"),
        ({"language": "中文", "country": "cn"}, "zh-hans", "CN"),
        ({"language": "FR", "country": "Togo"}, "fr", ""),
        ({"telephone": "+33612345678"}, "fr", "FR"),
        ({"telephone": "+12025550123"}, "fr", ""),
    ],
    ids=repr,
)
def test_language_and_country_are_words_codes_or_left_out(found: dict[str, str], language: str, country: str):
    (good,) = judged(**found).good

    assert (good.language, good.country) == (language, country)


def test_a_column_of_last_names_alone_has_both_names():
    lines = read(csv_of([("Tel", "Nom"), (NUMBER, "Awa Traoré")]))

    assert (judge(lines).good[0].first_name, judge(lines).good[0].last_name) == ("Awa", "Traoré")


def test_of_two_lines_with_one_number_the_first_counts():
    judgement = judge(read(csv_of([HEADINGS, FRENCH[1], ("22376123456", "Autre", "Nom")])))

    assert [client.first_name for client in judgement.good] == ["Aïssata"]
    assert [(bad.number, bad.is_double, bad.flaws) for bad in judgement.bad] == [(3, True, [("double", "2")])]


@pytest.mark.parametrize("language", ["fr", "en", "zh-hans"])
def test_the_examples_are_read_as_they_are(language: str):
    with translation.override(language):
        made = [client_sheets.example_csv(), client_sheets.example_xlsx()]

    for content in made:
        judgement = judge(read(content))
        assert (len(judgement.good), judgement.bad) == (3, [])


@pytest.mark.parametrize("language", ["fr", "en", "zh-hans"])
def test_the_bad_lines_can_be_mended_in_the_file_that_they_come_in(language: str):
    rows = [("Phone", "Full name", "E-mail"), ("+223", "=1+1", "-2"), ("76", "@SUM(A1)", "+3"), (NUMBER, "A B", "")]
    bad = judge(read(csv_of(rows))).bad
    errors = [{"number": line.number, "cells": line.cells, "flaws": line.flaws} for line in bad]
    with translation.override(language):
        content = client_sheets.left_out_csv(errors)

    assert [line.cells for line in read(content)] == [error["cells"] for error in errors]
    text = content.decode("utf-8-sig")
    cells_of_file = [cell for line in text.splitlines()[1:] for cell in line.split(";" if language == "fr" else ",")]
    assert not [cell for cell in cells_of_file if cell.startswith(("=", "+", "-", "@"))]


def test_a_row_far_below_that_stands_above_the_headings_costs_nothing():
    far = changed(WORKBOOK, SHEET, b'<row r="1"', b'<row r="1048576"')
    with pytest.raises(UnreadableFile, match=r"\w"):
        read(far)
