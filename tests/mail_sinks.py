"""Mail servers on loopback that keep what they get: one speaks SMTP, one Resend's API; both fail as told."""

import asyncio
import base64
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CUT = b"cut"
"""Instead of a reply: the connection is closed without a word."""


@dataclass
class SmtpSink:
    """Takes mails by SMTP. ``replies`` are for a command's word, or ``.`` for the end of a mail."""

    replies: dict[str, bytes] = field(default_factory=dict)
    extensions: tuple[bytes, ...] = (b"8BITMIME", b"SMTPUTF8")
    login: tuple[str, str] | None = None
    tls: ssl.SSLContext | None = None
    """With one, STARTTLS is offered."""
    port: int = 0
    commands: list[str] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    """Of each mail, whether it came over TLS."""
    gate: threading.Event = field(default_factory=threading.Event)
    """Set unless a test holds the end of each mail up."""
    came: threading.Event = field(default_factory=threading.Event)
    """Set once a whole mail has come, before it is taken or answered."""

    @property
    def mails(self) -> list[EmailMessage]:
        """The mails that were taken, read as a mail program does."""
        return [message_from_bytes(raw, policy=policy.default) for raw in self.taken]  # type: ignore[misc]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            writer.write(self.replies.get("", b"220 sink") + b"\r\n")
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        encrypted = False
        while line := await reader.readline():
            command = line.decode().strip()
            word = command.split(" ")[0].split(":")[0].upper()
            self.commands.append(command)
            reply = self.replies.get(word) or self._reply(word, command, encrypted)
            if reply == CUT:
                return
            writer.write(reply + b"\r\n")
            await writer.drain()
            if word == "STARTTLS" and reply.startswith(b"220"):
                await writer.start_tls(self.tls)
                encrypted = True
            if word == "DATA" and reply.startswith(b"354"):
                raw = await reader.readuntil(b"\r\n.\r\n")
                self.came.set()
                await asyncio.to_thread(self.gate.wait, 30)
                ending = self.replies.get(".", b"250 taken")
                if not ending.startswith((b"4", b"5")):
                    # One that is cut here, or speaks in riddles, has taken the mail.
                    self.taken.append(raw[:-3].replace(b"\r\n..", b"\r\n."))
                    self.encrypted.append(encrypted)
                if ending == CUT:
                    return
                writer.write(ending + b"\r\n")
            if word == "QUIT":
                return

    def _reply(self, word: str, command: str, encrypted: bool) -> bytes:
        if word == "EHLO":
            offered = [b"sink", *self.extensions]
            offered += [b"STARTTLS"] if self.tls and not encrypted else []
            offered += [b"AUTH PLAIN"] if self.login else []
            return b"".join(b"250-" + one + b"\r\n" for one in offered[:-1]) + b"250 " + offered[-1]
        if word == "AUTH":
            given = tuple(base64.b64decode(command.split()[2]).decode().split("\0")[1:])
            return b"235 welcome" if given == self.login else b"535 5.7.8 wrong user or password " + given[1].encode()
        return {"DATA": b"354 go on", "STARTTLS": b"220 go on", "QUIT": b"221 bye"}.get(word, b"250 ok")


@contextmanager
def smtp_sink(**told: Any) -> Iterator[SmtpSink]:
    """A mail server on a free port, in a thread of its own."""
    sink = SmtpSink(**told)
    sink.gate.set()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(sink.serve, "127.0.0.1", 0)

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    sink.port = server.sockets[0].getsockname()[1]

    async def stop() -> None:
        server.close()
        sink.gate.set()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await loop.shutdown_default_executor()

    try:
        yield sink
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@dataclass
class ResendSink:
    """Takes mails as Resend's API does: a key that is known gets its first answer, and nothing is sent."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    """Path, headers and body of each."""
    sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What went out, by idempotency key."""
    faults: list[tuple[int, dict[str, str], bytes] | str] = field(default_factory=list)
    """Used up one a request: an answer, ``cut`` before the mail is taken, or ``cut after`` it was."""
    gate: threading.Event = field(default_factory=threading.Event)
    came: threading.Event = field(default_factory=threading.Event)
    """Set once a mail was taken, before that is answered."""

    def answer(self, key: str, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes] | None:
        """Status, headers and body; None to cut the connection."""
        fault = self.faults.pop(0) if self.faults else ""
        if isinstance(fault, tuple):
            return fault
        if fault == "cut":
            return None
        if self.sent.setdefault(key, body) != body:
            return 409, {}, json.dumps({"name": "invalid_idempotent_request", "message": "other payload"}).encode()
        self.came.set()
        self.gate.wait(30)
        if fault == "cut after":
            return None
        return 200, {}, json.dumps({"id": f"re_{list(self.sent).index(key)}"}).encode()


@contextmanager
def resend_sink() -> Iterator[ResendSink]:
    """Such an API on a free port."""
    sink = ResendSink()
    sink.gate.set()

    class Answerer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            sink.requests.append({"path": self.path, "headers": headers, "body": body})
            answer = sink.answer(headers.get("idempotency-key", ""), body)
            if answer is None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            status, further, content = answer
            self.send_response(status)
            for name, value in {**further, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answerer)
    server.daemon_threads = True
    sink.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        sink.gate.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
