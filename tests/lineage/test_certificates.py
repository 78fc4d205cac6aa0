"""Postgres reached over TLS: whose certificates are accepted, and what is said of others."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from activesynth.domain.effects import Unwatched
from activesynth.errors import PlatformStateError, TransientError
from activesynth.lineage.lineage import open_lineage
from platform_fixtures import PostgresServer


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority in files of a folder; one self-signed certificate is authority and server."""

    certificate: Path
    key: Path


def make_authority(folder: Path) -> Authority:
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    made = Authority(folder / "certificate.pem", folder / "key.pem")
    encoding = serialization.Encoding.PEM
    made.certificate.write_bytes(certificate.public_bytes(encoding))
    private = serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    made.key.write_bytes(key.private_bytes(encoding, private, plain))
    return made


@dataclass(slots=True)
class TlsServer:
    """Agrees to TLS as Postgres does, and hangs up after the handshake."""

    port: int
    trusted: Path
    greeted: int = 0

    def address(self, authority: object) -> str:
        where = f"postgresql+psycopg2://u:secret@localhost:{self.port}/lineage"
        return f"{where}?sslmode=verify-full&sslrootcert={authority}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TlsServer]:
    own = make_authority(tmp_path / "own")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = TlsServer(listener.getsockname()[1], own.certificate)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:  # closed
                    return
                with connection, contextlib.suppress(OSError):
                    connection.recv(8)
                    connection.sendall(b"S")
                    with context.wrap_socket(connection, server_side=True):
                        made.greeted += 1

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield made
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def test_a_server_of_the_named_authority_is_spoken_to(server: TlsServer) -> None:
    lineage = open_lineage(server.address(server.trusted), Unwatched())

    with pytest.raises(TransientError, match="did not answer"):  # it hangs up
        lineage.store.campaign("digits")
    lineage.close()

    assert server.greeted > 0


@pytest.mark.parametrize("authority", ["another", "nowhere", "the system's"])
def test_a_certificate_that_is_not_accepted_is_named_with_its_way_out(
    server: TlsServer, tmp_path: Path, authority: str
) -> None:
    given = {
        "another": make_authority(tmp_path / "another").certificate,
        "nowhere": tmp_path / "nowhere.pem",
        "the system's": "system",
    }
    lineage = open_lineage(server.address(given[authority]), Unwatched())

    with pytest.raises(PlatformStateError) as caught:
        lineage.store.campaign("digits")
    lineage.close()

    assert caught.value.reason == "database_certificate"
    assert "sslrootcert" in str(caught.value)
    assert f"localhost:{server.port}/lineage" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert server.greeted == 0


def test_a_login_that_postgres_refuses_is_named_and_not_tried_again(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path)
    rules = tmp_path / "data" / "pg_hba.conf"
    rules.write_text("local all asker scram-sha-256\nlocal all postgres trust\n")
    server.start()
    try:
        server.execute("CREATE ROLE asker LOGIN PASSWORD 'right'")
        address = server.url().replace("postgres:@", "asker:wrong@")
        lineage = open_lineage(address, Unwatched())

        with pytest.raises(PlatformStateError, match="refused the login") as caught:
            lineage.store.campaign("digits")
        lineage.close()
    finally:
        server.close()

    assert caught.value.reason == "database_login"
    assert "wrong" not in str(caught.value)
