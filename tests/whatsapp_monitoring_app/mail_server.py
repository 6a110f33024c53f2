"""A mail server on the other side of SMTP, which takes letters, or refuses them."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

SMTP = "django.core.mail.backends.smtp.EmailBackend"


@dataclass
class MailServer:
    """What it was given, each letter with its readers; while it `refuses`, it takes none."""

    letters: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    refuses: bool = False
    on_letter: Callable[[], None] = lambda: None

    @property
    def subjects(self) -> list[str]:
        return [str(letter["Subject"]) for _readers, letter in self.letters]


def _handler(server: MailServer) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            readers: list[str] = []
            self.say("220 ready")
            for line in iter(self.rfile.readline, b""):
                match line.split(b":")[0].split()[0].upper():
                    case b"RCPT":
                        readers.append(line.partition(b"<")[2].partition(b">")[0].decode())
                        self.say("550 no" if server.refuses else "250 yes")
                    case b"DATA":
                        self.say("354 go on")
                        self.take(readers)
                        readers = []
                    case b"QUIT":
                        return self.say("221 bye")
                    case _:
                        self.say("250 yes")
            return None

        def take(self, readers: list[str]) -> None:
            lines = iter(self.rfile.readline, b".\r\n")
            letter = message_from_bytes(b"".join(lines), policy=policy.default)
            server.on_letter()
            server.letters.append((readers, letter))
            self.say("250 taken")

        def say(self, words: str) -> None:
            self.wfile.write(f"{words}\r\n".encode())

    return Handler


@contextmanager
def listening() -> Iterator[tuple[MailServer, int]]:
    """A mail server, and its port."""
    ours = MailServer()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _handler(ours)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield ours, server.server_address[1]
        server.shutdown()
