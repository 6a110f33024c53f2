"""What the sandbox remembers, in memory: messages accepted, replies written and requests seen."""

import hashlib
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

MEMORY = 5_000
WINDOW = timedelta(hours=24)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Message:
    """A message that was accepted, on its way to a phone."""

    wamid: str
    to: str
    wa_id: str
    type: str
    text: str
    tracking: str | None
    phone_number_id: str
    to_had_plus: bool
    status: str = "accepted"
    failure_code: int | None = None
    template: str | None = None
    received_at: datetime = field(default_factory=now)

    @property
    def phone(self) -> str:
        return self.wa_id


@dataclass(frozen=True)
class Reply:
    """A message that a customer wrote."""

    wamid: str
    phone: str
    text: str
    context: str | None
    phone_number_id: str
    received_at: datetime = field(default_factory=now)


@dataclass(frozen=True)
class SendRequest:
    """A request to send, accepted or not. A dropped connection has no HTTP status."""

    phone_number_id: str
    to: str | None
    type: str | None
    tracking: str | None
    fingerprint: str
    http_status: int | None
    error_code: int | None = None
    reason: str | None = None
    received_at: datetime = field(default_factory=now)

    @property
    def was_refused(self) -> bool:
        return self.reason is not None


@dataclass(frozen=True)
class Chat:
    """A phone as the list shows it."""

    phone: str
    last: Message | Reply
    unread_count: int


def fingerprint(body: bytes, to: str | None, tracking: str | None) -> str:
    """The same for each try of one message: by its tracking string, or else by its whole body."""
    content = f"{to}\n{tracking}".encode() if tracking else body
    return hashlib.sha256(content).hexdigest()


class Phones:
    """The pretended phones. Bounded: the oldest is forgotten first. Belongs to one thread."""

    def __init__(self, limit: int = MEMORY) -> None:
        self.limit = limit
        self.messages: OrderedDict[str, Message] = OrderedDict()
        self.replies: deque[Reply] = deque(maxlen=limit)
        self.requests: deque[SendRequest] = deque(maxlen=limit)

    def accept(self, message: Message) -> None:
        self.messages[message.wamid] = message
        if len(self.messages) > self.limit:
            self.messages.popitem(last=False)

    def remembers(self, message: Message) -> bool:
        return message.wamid in self.messages

    def refused_count(self, fingerprint: str, code: int | None) -> int:
        """How many times this message met this error."""
        return sum(1 for seen in self.requests if seen.fingerprint == fingerprint and seen.error_code == code)

    def refusals(self) -> Iterable[SendRequest]:
        """The refused requests, newest first."""
        return (request for request in reversed(self.requests) if request.was_refused)

    def chat(self, phone: str) -> list[Message | Reply]:
        """What was exchanged with a phone, oldest first."""
        return [entry for entry in self._everything() if entry.phone == phone]

    def chats(self) -> list[Chat]:
        """Every phone that has something to show, the latest first."""
        entries: OrderedDict[str, list[Message | Reply]] = OrderedDict()
        for entry in self._everything():
            entries.setdefault(entry.phone, []).append(entry)
            entries.move_to_end(entry.phone)
        return [Chat(phone, chat[-1], _unread_count(chat)) for phone, chat in reversed(entries.items())]

    def sender_for(self, phone: str, default: str) -> str:
        """The id of the business number that wrote to this phone last, or else to anybody."""
        for message in reversed(self.messages.values()):
            if message.wa_id == phone:
                return message.phone_number_id
        latest = next(reversed(self.messages.values()), None)
        return latest.phone_number_id if latest else default

    def window_closes_at(self, phone: str, phone_number_id: str) -> datetime | None:
        """24 hours after the phone last wrote to a business number; None when it never did."""
        for reply in reversed(self.replies):
            if (reply.phone, reply.phone_number_id) == (phone, phone_number_id):
                return reply.received_at + WINDOW
        return None

    def clear(self) -> None:
        self.messages.clear()
        self.replies.clear()
        self.requests.clear()

    def _everything(self) -> list[Message | Reply]:
        return sorted([*self.messages.values(), *self.replies], key=lambda entry: entry.received_at)


def _unread_count(chat: list[Message | Reply]) -> int:
    return sum(1 for entry in chat if isinstance(entry, Message) and entry.status == "delivered")
