"""A server on 127.0.0.1 that speaks TLS, with a certificate that nobody vouches for."""

import ipaddress
import queue
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.whatsapp_monitoring_app.test_transport import Server, saying


def self_signed(file: Path) -> ssl.SSLContext:
    """What the server shows; certificate and key are written to the file too."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(datetime.now(UTC) - timedelta(days=1))
    builder = builder.not_valid_after(datetime.now(UTC) + timedelta(days=1))
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = builder.add_extension(here, critical=False).sign(key, hashes.SHA256())
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


class SecureServer(Server):
    """One that speaks TLS, and counts the greetings that failed."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(saying())
        self.context = context
        self.refused: queue.SimpleQueue[str] = queue.SimpleQueue()

    def serve(self, connection: socket.socket) -> None:
        try:
            super().serve(self.context.wrap_socket(connection, server_side=True))
        except ssl.SSLError as error:
            self.refused.put(str(error))
