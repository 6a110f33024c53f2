"""What Meta takes at POST /messages, strictly: nothing but what its own descriptions name.

Written after TemplateObject, MediaObject and the message types of business-messaging-api v23.0, Meta's OpenAPI
description. In three places that description is not the truth, and Meta's pages are followed: the pattern that it
gives for `index` excludes its own example "0"; it does not know `biz_opaque_callback_data`, `filename` and
`parameter_name`; and it allows captions in a template, where its text says that there are none.
"""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

Check = Callable[[Any], None]
LINE_BREAKS = re.compile(r"[\n\r\t]| {5}")


def check(body: Any) -> None:
    """Raises AssertionError where Meta would say no."""
    kind = body.get("type") if isinstance(body, dict) else None
    assert kind in list(KINDS), f"type {kind!r}"
    members({**ALWAYS, kind: KINDS[kind]}, {"context": members({"message_id": text(200)})})(body)


def members(required: dict[str, Check], optional: dict[str, Check] | None = None) -> Check:
    """An object with these members and no other."""
    known = required | (optional or {})

    def check_members(value: Any) -> None:
        assert isinstance(value, dict), f"no object: {value!r}"
        assert set(required) <= set(value) <= set(known), f"members {sorted(value)}"
        for name, given in value.items():
            known[name](given)

    return check_members


def text(most: int, pattern: str = r"(?s).*\S.*") -> Check:
    """A text of at most so many characters that says something."""

    def check_text(value: Any) -> None:
        assert isinstance(value, str), f"no text: {value!r}"
        assert len(value) <= most, f"{len(value)} characters"
        assert re.fullmatch(pattern, value), f"text {value!r}"

    return check_text


def exactly(expected: object) -> Check:
    def check_value(value: Any) -> None:
        assert value == expected, f"{value!r}"
        assert type(value) is type(expected), f"{value!r}"

    return check_value


def each(check_one: Check) -> Check:
    """A list of at least one."""

    def check_list(value: Any) -> None:
        assert isinstance(value, list), f"no list: {value!r}"
        assert value, "an empty list"
        for one in value:
            check_one(one)

    return check_list


def by(member: str, checks: dict[str, Check]) -> Check:
    """An object whose member says which of these it is."""

    def check_kind(value: Any) -> None:
        assert isinstance(value, dict), f"no object: {value!r}"
        assert value.get(member) in list(checks), f"{member} {value.get(member)!r}"
        checks[value[member]](value)

    return check_kind


def link(value: Any) -> None:
    text(2000)(value)
    parts = urlsplit(value)
    assert parts.scheme == "https", f"link {value!r}"
    assert parts.hostname, f"link {value!r}"


def variable(most: int) -> Check:
    """The value of a variable in a template."""

    def check_variable(value: Any) -> None:
        text(most)(value)
        assert not LINE_BREAKS.search(value), f"text {value!r}"

    return check_variable


def text_parameter(most: int) -> Check:
    return members({"type": exactly("text"), "text": variable(most)}, {"parameter_name": text(200)})


def media_parameter(kind: str, **optional: Check) -> Check:
    return members({"type": exactly(kind), kind: members({"link": link}, optional)})


HEADER = members(
    {
        "type": exactly("header"),
        "parameters": each(
            by(
                "type",
                {
                    "text": text_parameter(60),
                    "image": media_parameter("image"),
                    "document": media_parameter("document", filename=text(1000, r"(?is).*\.pdf")),
                },
            )
        ),
    }
)
BODY = members({"type": exactly("body"), "parameters": each(text_parameter(32768))})


def button(sub_type: str, parameter: Check) -> Check:
    return members(
        {
            "type": exactly("button"),
            "sub_type": exactly(sub_type),
            "index": text(1, "[0-9]"),
            "parameters": each(parameter),
        }
    )


BUTTON = by(
    "sub_type",
    {
        "url": button("url", members({"type": exactly("text"), "text": variable(2000)})),
        "quick_reply": button("quick_reply", members({"type": exactly("payload"), "payload": text(10**6)})),
    },
)


def components(value: Any) -> None:
    each(by("type", {"header": HEADER, "body": BODY, "button": BUTTON}))(value)
    kinds = [one["type"] for one in value]
    assert kinds == sorted(kinds, key=["header", "body", "button"].index), f"order {kinds}"
    assert max(kinds.count("header"), kinds.count("body")) <= 1, f"twice in {kinds}"
    places = [one["index"] for one in value if one["type"] == "button"]
    assert len(set(places)) == len(places), f"buttons {places}"
    if len(value) > 1:
        values = [given for one in value if one["type"] == "body" for given in one["parameters"]]
        each(text_parameter(1024))(values or [{"type": "text", "text": "x"}])


CAPTION = text(1024, r"(?s).+")
ALWAYS: dict[str, Check] = {
    "messaging_product": exactly("whatsapp"),
    "recipient_type": exactly("individual"),
    "to": text(16, r"\+[1-9][0-9]{6,14}"),
    "type": text(20),
    "biz_opaque_callback_data": text(512),
}
KINDS: dict[str, Check] = {
    "text": members({"body": text(4096), "preview_url": exactly(False)}),
    "image": members({"link": link}, {"caption": CAPTION}),
    "document": members({"link": link}, {"caption": CAPTION, "filename": text(1000, r"(?s).+")}),
    "template": members(
        {
            "name": text(512),
            "language": members({"policy": exactly("deterministic"), "code": text(40)}),
        },
        {"components": components},
    ),
}
