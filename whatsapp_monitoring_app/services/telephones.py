"""Which telephones a text means that somebody looks for."""

from contextlib import suppress

from accounts import phones
from whatsapp_monitoring_app import scopes


def whole(text: str) -> set[str]:
    """The numbers that this text is, read by every office's plan; none where it is a part of one, or a word."""
    numbers = set()
    for piece in phones.pieces(text):
        for number, country in ((f"+{piece}", None), *((piece, country) for country in scopes.countries())):
            with suppress(phones.InvalidTelephone):
                numbers.add(phones.to_e164(number, country))
    return numbers
