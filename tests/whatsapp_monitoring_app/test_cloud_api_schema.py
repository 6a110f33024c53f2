"""Every body that leaves is one that Meta describes, or nothing leaves."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.whatsapp_monitoring_app import meta_schema
from tests.whatsapp_monitoring_app.scripts import NUMBER, TEXT
from whatsapp_monitoring_app.providers import base, content
from whatsapp_monitoring_app.providers.cloud_api import CloudApi

ACCOUNT = base.Account("106540352242922", "EAAsecret")
LINK = "https://cargo.example/recu.pdf"
cloud_api = CloudApi()


def body_of(what: content.Content, reply_to: str = "") -> dict[str, Any]:
    return json.loads(cloud_api.build(ACCOUNT, base.Message(NUMBER, what, "4f2b", reply_to)).body)


def template(**parts: Any) -> content.Template:
    return content.Template("colis_arrive", "fr", text=TEXT, **parts)


EXAMPLES: list[content.Content] = [
    content.Text(TEXT),
    content.Image(LINK),
    content.Image(LINK, "Reçu 📦"),
    content.Document(LINK),
    content.Document(LINK, "reçu.pdf", "Voici"),
    template(),
    template(body=("Awa", "TS1A2B3C4D")),
    template(body={"prenom": "Awa"}),
    template(header=content.Text("Bamako"), header_name="ville", body={"prenom": "Awa"}),
    template(header=content.Image(LINK, "left out")),
    template(header=content.Document(LINK, "reçu.pdf", "left out")),
    template(body=("Awa",), buttons=(content.UrlButton(0, "TS1A2B3C4D"), content.QuickReply(9, "stop"))),
]


@pytest.mark.parametrize("what", EXAMPLES, ids=repr)
def test_what_we_send_is_what_meta_describes(what: content.Content):
    meta_schema.check(body_of(what))
    meta_schema.check(body_of(what, reply_to="wamid.HBgL=="))


FULL = template(
    header=content.Document(LINK, "reçu.pdf"), body={"prenom": "Awa"}, buttons=(content.UrlButton(0, "TS1A2B3C4D"),)
)


def every_place(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each object or list in this JSON value, and the name or place of each thing in it."""
    for name, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, name
        if isinstance(inner, dict | list):
            yield from every_place(inner)


@pytest.mark.parametrize(
    "odd", [None, 7, True, "", [], {}, [None], {"surprise": 1}, "x" * 40_000], ids=lambda odd: repr(odd)[:9]
)
def test_the_description_notices_a_wrong_value_anywhere(odd: Any):
    count = sum(1 for _ in every_place(body_of(FULL)))
    assert count > 30
    for number in range(count):
        body = body_of(FULL)
        holder, name = list(every_place(body))[number]
        holder[name] = odd
        with pytest.raises(AssertionError):
            meta_schema.check(body)


def test_the_description_notices_a_missing_and_an_unknown_member():
    # A header's file, the names of variables and the components as a whole may be missing.
    may_lack = {"filename", "parameter_name", "components"}
    for number, (_, missing) in enumerate(list(every_place(body_of(FULL)))):
        body = body_of(FULL)
        holder, name = list(every_place(body))[number]
        if isinstance(holder, dict) and missing not in may_lack:
            del holder[name]
            with pytest.raises(AssertionError):
                meta_schema.check(body)
            with pytest.raises(AssertionError):
                meta_schema.check(body_of(FULL) | {f"{missing}s": 1})


@pytest.mark.parametrize(
    ("components", "wrong"),
    [
        ([{"type": "body", "parameters": []}], "an empty list"),
        ([{"type": "footer", "parameters": [{"type": "text", "text": "x"}]}], "type"),
        ([{"type": "body", "parameters": [{"type": "text", "text": "two\nlines"}]}], "text"),
        ([{"type": "body", "parameters": [{"type": "text", "text": "x"}]}] * 2, "twice"),
        ([{"type": "header", "parameters": [{"type": "text", "text": "x" * 61}]}], "61 characters"),
        (
            [
                {"type": "button", "sub_type": "url", "index": index, "parameters": [{"type": "text", "text": "x"}]}
                for index in ("0", "0")
            ],
            "buttons",
        ),
        (
            [{"type": "button", "sub_type": "url", "index": 0, "parameters": [{"type": "text", "text": "x"}]}],
            "no text",
        ),
        (
            [{"type": "button", "sub_type": "url", "index": "10", "parameters": [{"type": "text", "text": "x"}]}],
            "2 char",
        ),
        (
            [
                {"type": "body", "parameters": [{"type": "text", "text": "x"}]},
                {"type": "header", "parameters": [{"type": "text", "text": "x"}]},
            ],
            "order",
        ),
    ],
)
def test_the_description_notices_wrong_components(components: list[Any], wrong: str):
    body = body_of(template())
    with pytest.raises(AssertionError, match=wrong):
        meta_schema.check({**body, "template": {**body["template"], "components": components}})


# --- Any content

WORDS = st.text(max_size=12) | st.sampled_from(
    ["Awa", "TS1A2B3C4D", " ", "two\nlines", "a\ttab", "five     spaces", "é📦"]
)
LONG = st.sampled_from([59, 60, 61, 512, 513, 1024, 1025, 2000, 2001, 4096, 4097, 32768, 32769]).map(lambda n: "x" * n)
TEXTS = st.one_of(WORDS, WORDS, LONG)
LINKS = st.sampled_from(
    [LINK, LINK, LINK, "https://cargo.example/a b.png", "http://cargo.example/", "https://", "", "x"]
)
FILES = st.sampled_from(["", "reçu.pdf", "RECU.PDF", "reçu.docx", ".pdf"])
BUTTONS = st.builds(content.UrlButton, st.integers(-1, 11), TEXTS) | st.builds(
    content.QuickReply, st.integers(-1, 11), TEXTS
)
CONTENTS = st.one_of(
    st.builds(content.Text, TEXTS),
    st.builds(content.Image, LINKS, TEXTS),
    st.builds(content.Document, LINKS, FILES, TEXTS),
    st.builds(
        content.Template,
        name=TEXTS,
        language=st.sampled_from(["fr", "en_US", ""]),
        body=st.lists(TEXTS, max_size=3).map(tuple) | st.dictionaries(WORDS, TEXTS, max_size=3),
        header=st.none()
        | st.builds(content.Text, TEXTS)
        | st.builds(content.Image, LINKS, TEXTS)
        | st.builds(content.Document, LINKS, FILES),
        buttons=st.lists(BUTTONS, max_size=2).map(tuple),
        text=WORDS,
        header_name=st.sampled_from(["", "ville"]),
    ),
)


def test_whatever_is_sent_is_what_meta_describes():
    kinds: Counter[tuple[str, bool]] = Counter()

    @settings(derandomize=True, deadline=None, database=None, max_examples=1500)
    @given(CONTENTS, st.sampled_from(["", "wamid.HBgL=="]))
    def check(what: content.Content, reply_to: str) -> None:
        try:
            body = body_of(what, reply_to)
        except content.Unsendable:
            kinds[type(what).__name__, False] += 1
            return
        kinds[type(what).__name__, True] += 1
        meta_schema.check(body)

    check()
    # Else this would say nothing.
    assert (
        min(kinds[kind, is_sent] for kind in ("Text", "Image", "Document", "Template") for is_sent in (True, False))
        > 5
    )
