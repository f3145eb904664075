"""A server on 127.0.0.1 whose every byte a test decides: what to read, send, cut and reset.

It runs in threads with blocking sockets, so that it shares nothing with the client under test.
"""

from __future__ import annotations

import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Asked:
    """One request as it came: names of headers in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Peer:
    """One connection, seen from the server. Every failing call only ends its script."""

    def __init__(self, sock: socket.socket, server: Server) -> None:
        self.sock = sock
        self._server = server

    def read(self) -> Asked | None:
        """The next whole request, noted in the server's list; None when the client hung up."""
        data = b""
        while b"\r\n\r\n" not in data:
            if not (piece := self.sock.recv(65536)):
                return None
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        while len(body) < int(headers.get("content-length", "0")):
            if not (piece := self.sock.recv(65536)):
                return None
            body += piece
        method, path, _ = first.split(" ")
        asked = Asked(method, path, headers, body)
        self._server.asked.append(asked)
        return asked

    def send(self, data: bytes) -> None:
        """Put bytes on the wire."""
        self.sock.sendall(data)

    def hold(self) -> None:
        """Do nothing until the client hangs up."""
        while self.sock.recv(65536):
            pass

    def reset(self) -> None:
        """Cut with RST, as a crashed or overloaded host does."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


Script = Callable[[Peer], None]


@dataclass
class Server:
    """A running server: where it is, how many connections it took, and what it was asked."""

    port: int
    scheme: str = "http"
    connections: int = 0
    asked: list[Asked] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"{self.scheme}://{LOOPBACK}:{self.port}"


@contextmanager
def serving(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Run the script once for each connection. Ends every connection, and waits, at the end."""
    listener = socket.create_server((LOOPBACK, 0))
    server = Server(listener.getsockname()[1], "https" if tls else "http")
    threads: list[threading.Thread] = []
    raw: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            server.connections += 1
            raw.append(sock)
            thread = threading.Thread(target=serve, args=(sock,))
            threads.append(thread)
            thread.start()

    def serve(sock: socket.socket) -> None:
        peer = Peer(sock, server)
        try:
            if tls:
                peer.sock = tls.wrap_socket(sock, server_side=True)
            script(peer)
        except OSError:
            pass  # the client left: its own error is what a test looks at
        except BaseException as error:  # noqa: BLE001, RUF100 - shown by the test, not the thread
            server.errors.append(error)
        finally:
            peer.sock.close()
            sock.close()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield server
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for sock in raw:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
    assert not server.errors, server.errors


def refused_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def deaf() -> Iterator[str]:
    """The base URL of a host that never answers a connection attempt: its queue is full."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind((LOOPBACK, 0))
        listener.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"


def answer(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    """A whole HTTP/1.1 answer; a header's underscores stand for hyphens."""
    head = {"content_length": str(len(body)), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in head.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


def replying(*answers: bytes) -> Script:
    """A script that gives these answers in turn, the last one for ever, and keeps the line."""

    def script(peer: Peer) -> None:
        rest = list(answers)
        while peer.read():
            peer.send(rest.pop(0) if len(rest) > 1 else rest[0])

    return script


def certificate(folder: Path) -> tuple[Path, Path]:
    """A fresh self-signed certificate for 127.0.0.1, and its key. Needs the openssl program."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    command += " -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(
        [*command.split(), "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True
    )
    return cert, key
