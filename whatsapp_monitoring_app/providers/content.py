"""What a message can consist of, in our words; every provider translates it into its own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

LINK_LIMIT = 2000  # characters; ours
# Characters; Meta, pages "Image messages", "Document messages", "Template components" and "Messages > Text object".
CAPTION_LIMIT = 1024
NAME_LIMIT = 512
HEADER_LIMIT = 60
VALUE_LIMIT, VALUE_LIMIT_ALONE = 1024, 32768  # with a header or buttons, and without
ADDRESS_LIMIT = 2000
BUTTONS = range(10)  # the places of a template's buttons


class Unsendable(ValueError):
    """The provider would refuse this content. `field` names the part, the message says in English what is wrong."""

    def __init__(self, field_name: str, problem: str) -> None:
        super().__init__(f"{field_name}: {problem}")
        self.field = field_name


@dataclass(frozen=True)
class Text:
    """Free text, which WhatsApp allows within 24 hours of the client's last message."""

    body: str = field(repr=False)


@dataclass(frozen=True)
class Image:
    """A picture that the provider fetches from `link`."""

    link: str
    caption: str = field(default="", repr=False)


@dataclass(frozen=True)
class Document:
    """A file that the provider fetches from `link`, shown with this name."""

    link: str
    filename: str = ""
    caption: str = field(default="", repr=False)


@dataclass(frozen=True)
class UrlButton:
    """The variable end of a button's address. `index` is the button's place in the template, from 0."""

    index: int
    suffix: str = field(repr=False)


@dataclass(frozen=True)
class QuickReply:
    """A button whose `payload` comes back when it is pressed. `index` is its place in the template, from 0."""

    index: int
    payload: str = field(repr=False)


@dataclass(frozen=True)
class Template:
    """A text that the provider has approved, by its name there, with the values of its variables.

    `body` holds the values in order, or by name for templates whose variables have names. `language` is the provider's
    word for it. `buttons` are those with a variable part. `text` is what the client will read. `header_name` is the
    name of the variable in the header, for templates whose variables have names.
    """

    name: str
    language: str
    body: tuple[str, ...] | Mapping[str, str] = field(default=(), repr=False)
    header: Text | Image | Document | None = None
    buttons: tuple[UrlButton | QuickReply, ...] = ()
    text: str = field(default="", repr=False)
    header_name: str = ""

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(self.body.values()) if isinstance(self.body, Mapping) else self.body


Content = Text | Image | Document | Template


def texts(content: Content) -> tuple[str, ...]:
    """What the client reads of it, and what only their buttons know."""
    match content:
        case Text(body):
            return (body,)
        case Image(_, caption) | Document(_, _, caption):
            return (caption,)
        case Template():
            header = texts(content.header) if content.header else ()
            buttons = [
                button.suffix if isinstance(button, UrlButton) else button.payload for button in content.buttons
            ]
            return (content.text, *content.values, *header, *buttons)


def check(content: Content, text_limit: int) -> None:
    """Find out before calling what a provider would refuse. Raises Unsendable."""
    for problem in _problems(content, text_limit):
        raise problem


def _problems(content: Content, text_limit: int) -> Iterator[Unsendable]:
    match content:
        case Text(body):
            yield from _text_problems("text", body, text_limit)
        case Image(link, caption):
            yield from _media_problems("image", link, caption)
        case Document(link, _filename, caption):
            yield from _media_problems("document", link, caption)
        case Template():
            yield from _template_problems(content)


def _text_problems(name: str, body: str, limit: int) -> Iterator[Unsendable]:
    if not body.strip():
        yield Unsendable(name, "is empty")
    if len(body) > limit:
        yield Unsendable(name, f"has {len(body)} characters; {limit} is the most")


def _media_problems(name: str, link: str, caption: str) -> Iterator[Unsendable]:
    yield from _link_problems(f"{name}.link", link)
    if len(caption) > CAPTION_LIMIT:
        yield Unsendable(f"{name}.caption", f"has {len(caption)} characters; {CAPTION_LIMIT} is the most")


def _link_problems(name: str, link: str) -> Iterator[Unsendable]:
    if not is_https(link):
        yield Unsendable(name, "is not an https address")


def is_https(link: str) -> bool:
    """Whether this is an address from which a provider fetches media."""
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname)


def _template_problems(template: Template) -> Iterator[Unsendable]:
    for name in ("name", "language"):
        if not getattr(template, name).strip():
            yield Unsendable(f"template.{name}", "is empty")
    if len(template.name) > NAME_LIMIT:
        yield Unsendable("template.name", f"has {len(template.name)} characters; {NAME_LIMIT} is the most")
    if isinstance(template.body, Mapping) and not all(name.strip() for name in template.body):
        yield Unsendable("template.body", "has a value without a name")
    limit = VALUE_LIMIT if template.header or template.buttons else VALUE_LIMIT_ALONE
    for value in template.values:
        yield from _value_problems("template.body", value, limit)
    yield from _header_problems(template.header)
    yield from _button_problems(template.buttons)


def _header_problems(header: Text | Image | Document | None) -> Iterator[Unsendable]:
    match header:
        case Text(body):
            yield from _value_problems("template.header", body, HEADER_LIMIT)
        case Image(link, _):
            yield from _link_problems("template.header.link", link)
        case Document(link, filename, _):
            yield from _link_problems("template.header.link", link)
            if filename and not filename.casefold().endswith(".pdf"):
                yield Unsendable("template.header.filename", "is not a PDF file")


def _button_problems(buttons: tuple[UrlButton | QuickReply, ...]) -> Iterator[Unsendable]:
    places = [button.index for button in buttons]
    if len(set(places)) < len(places) or not set(places).issubset(BUTTONS):
        yield Unsendable("template.buttons", "has a place twice, or one that no button can have")
    for button in buttons:
        match button:
            case UrlButton(_, suffix):
                yield from _value_problems("template.buttons", suffix, ADDRESS_LIMIT)
            case QuickReply(_, payload) if not payload.strip():
                yield Unsendable("template.buttons", "has an empty payload")


def _value_problems(name: str, value: str, limit: int) -> Iterator[Unsendable]:
    if not value.strip():
        yield Unsendable(name, "has an empty value")
    if len(value) > limit:
        yield Unsendable(name, f"has a value of {len(value)} characters; {limit} is the most")
    # Meta refuses them in a variable (132018).
    if any(wrong in value for wrong in ("\n", "\r", "\t", "     ")):
        yield Unsendable(name, "has a value with a line break, a tab or more than four spaces in a row")
