"""Whether Twilio posted something: twilio.com/docs/usage/webhooks/webhooks-security."""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from urllib.parse import parse_qs, parse_qsl, urlsplit

BODY_HASH = "bodySHA256"
# Twilio's own posts have some forty; a body of a million would keep us busy before its signature is known to be wrong.
MOST_FIELDS = 1000
STANDARD_PORTS = {"https": 443, "http": 80}


def is_valid(signature: str, url: str, body: bytes, tokens: Sequence[str]) -> bool:
    """Whether one of these auth tokens signed this body for this address, with or without its port."""
    try:
        signed = _signed_part(url, body)
        addresses = list(_spellings(url))
    except ValueError:
        return False
    # A sender without a token must not make everybody's empty key a valid one.
    expected = [_sign(address + signed, token) for token in tokens if token for address in addresses]
    given = signature.encode(errors="replace")
    return any(hmac.compare_digest(one, given) for one in expected)


def is_json(url: str) -> bool:
    """Whether Twilio signed the body's hash in the address, as it does with JSON, instead of the fields of a form."""
    return BODY_HASH in parse_qs(urlsplit(url).query)


def fields(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form, empty ones included. Raises ValueError."""
    return parse_qsl(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS)


def _signed_part(url: str, body: bytes) -> str:
    """What is signed after the address. Raises ValueError when the body is not the one that was signed."""
    if not is_json(url):
        return "".join(name + value for name, value in sorted(set(fields(body))))
    (given, *_) = parse_qs(urlsplit(url).query)[BODY_HASH]
    if not hmac.compare_digest(given.encode(), hashlib.sha256(body).hexdigest().encode()):
        raise ValueError("the body has another hash")
    return ""


def _spellings(url: str) -> Iterator[str]:
    """Twilio signs the address sometimes with its port and sometimes without. Raises ValueError for no address."""
    yield url
    parts = urlsplit(url)
    if parts.port is not None:
        yield url.replace(f"//{parts.netloc}", f"//{parts.netloc.rpartition(':')[0]}", 1)
    elif parts.scheme in STANDARD_PORTS:
        yield url.replace(f"//{parts.netloc}", f"//{parts.netloc}:{STANDARD_PORTS[parts.scheme]}", 1)


def _sign(text: str, token: str) -> bytes:
    return base64.b64encode(hmac.new(token.encode(), text.encode(errors="replace"), hashlib.sha1).digest())
