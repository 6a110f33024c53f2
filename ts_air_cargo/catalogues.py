"""The translation catalogues, kept complete without the gettext tools.

Texts are found in Python by its own parser and in templates by Django's; polib reads, writes and compiles.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import polib
from django.utils.translation.template import templatize

SINGULAR_NAMES = {"_", "gettext", "gettext_lazy"}
PLURAL_NAMES = {"ngettext", "ngettext_lazy"}
# What templatize() writes for {% translate %} and {% blocktranslate %}.
_TEMPLATE_CALL = re.compile(r"\b(n?gettext|_)\(((?:u?'(?:[^'\\]|\\.)*'|u?\"(?:[^\"\\]|\\.)*\"|[^()])*)\)", re.DOTALL)

Text = tuple[str, str]  # singular, plural or ""


def texts_in(apps: list[Path], templates: list[Path]) -> dict[Text, set[str]]:
    """Every text to translate below these folders, with the files in which it stands."""
    found: dict[Text, set[str]] = {}
    for folder in [*apps, *templates]:
        for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.html")]):
            if "migrations" in path.parts:
                continue
            texts = _in_python(path) if path.suffix == ".py" else _in_template(path)
            for text in texts:
                found.setdefault(text, set()).add(str(path.relative_to(folder.parent)))
    return found


def _in_python(path: Path) -> Iterator[Text]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield from _in_call(node)


def _in_template(path: Path) -> Iterator[Text]:
    source = templatize(path.read_text())
    if "pgettext(" in source:
        # It would stay untranslated, and nobody would hear of it.
        raise ValueError(f"{path}: texts with a context are not kept in our catalogues; choose another English text.")
    for match in _TEMPLATE_CALL.finditer(source):
        call = ast.parse(match.group(0).strip(), mode="eval").body
        if isinstance(call, ast.Call):
            yield from _in_call(call)


def _in_call(call: ast.Call) -> Iterator[Text]:
    name = getattr(call.func, "id", "")
    texts = [node.value for node in call.args if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    if name in SINGULAR_NAMES and texts:
        yield (texts[0], "")
    elif name in PLURAL_NAMES and len(texts) > 1:
        yield (texts[0], texts[1])


def problems(po_path: Path, texts: dict[Text, set[str]]) -> list[str]:
    """What keeps this catalogue from being complete, a sentence each."""
    catalogue = polib.pofile(str(po_path))
    known = {_text_of(entry): entry for entry in catalogue if not entry.obsolete}
    found = [f"missing: {text[0]!r} ({', '.join(sorted(texts[text]))})" for text in texts.keys() - known.keys()]
    found += [f"no longer used: {text[0]!r}" for text in known.keys() - texts.keys()]
    for entry in known.values():
        if not entry.translated():
            found.append(f"not translated: {entry.msgid!r}")
        elif _placeholders(entry.msgid_plural or entry.msgid) != _placeholders(_any_translation(entry)):
            found.append(f"other placeholders: {entry.msgid!r}")
    mo_path = po_path.with_suffix(".mo")
    if not mo_path.exists() or mo_path.read_bytes() != catalogue.to_binary():
        found.append(f"{mo_path.name} is not compiled from {po_path.name}")
    return sorted(found)


def update(po_path: Path, texts: dict[Text, set[str]]) -> None:
    """Add the missing texts, drop the unused ones, compile."""
    catalogue = polib.pofile(str(po_path))
    known = {_text_of(entry) for entry in catalogue}
    for entry in list(catalogue):
        if _text_of(entry) not in texts:
            catalogue.remove(entry)
    forms = int(re.findall(r"nplurals=(\d)", catalogue.metadata["Plural-Forms"])[0])
    for singular, plural in sorted(texts.keys() - known):
        catalogue.append(_new_entry(singular, plural, forms))
    catalogue.sort(key=lambda entry: entry.msgid)
    for entry in catalogue:
        entry.occurrences = [(name, "") for name in sorted(texts[_text_of(entry)])]
    catalogue.save()
    catalogue.save_as_mofile(str(po_path.with_suffix(".mo")))


def _new_entry(singular: str, plural: str, forms: int) -> polib.POEntry:
    flags = ["python-format"] if _placeholders(singular) else []
    if plural:
        return polib.POEntry(
            msgid=singular, msgid_plural=plural, msgstr_plural=dict.fromkeys(range(forms), ""), flags=flags
        )
    return polib.POEntry(msgid=singular, msgstr="", flags=flags)


def _text_of(entry: polib.POEntry) -> Text:
    return (entry.msgid, entry.msgid_plural or "")


def _any_translation(entry: polib.POEntry) -> str:
    return str(max(entry.msgstr_plural.values(), key=len) if entry.msgid_plural else entry.msgstr)


def _placeholders(text: str) -> list[str]:
    return sorted(set(re.findall(r"%\(\w+\)[sd]|\{\w+\}", text)))
