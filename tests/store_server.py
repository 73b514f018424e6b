"""An S3-compatible store on loopback: a process of its own that checks signatures and rights, and a way to break it."""

import http.client
import json
import os
import re
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR
from typing import Any

import botocore.config
import botocore.session

from tests.fleet import eventually

RIGHTS = ("s3:PutObject", "s3:AbortMultipartUpload")
"""What docs/exports.md says is needed."""


@dataclass(frozen=True)
class Keys:
    """Credentials of one user of the store."""

    key_id: str
    secret: str


@dataclass(frozen=True)
class Store:
    """The store: ``writer`` may put objects into any bucket, ``reader`` may only read; ``admin`` looks on."""

    port: int
    admin: Any
    writer: Keys
    reader: Keys

    def bucket(self, name: str) -> str:
        """Make an empty bucket."""
        self.admin.create_bucket(Bucket=name)
        return name

    def objects(self, bucket: str) -> dict[str, bytes]:
        """All objects of a bucket, by key."""
        listed = self.admin.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {one["Key"]: self.admin.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in listed}

    def uploads(self, bucket: str) -> list[str]:
        """Keys of uploads that are neither completed nor aborted."""
        return [one["Key"] for one in self.admin.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]


@contextmanager
def store_server(folder: Path) -> Iterator[Store]:
    """Start the store, with its users, and end it."""
    told = folder / "store.log"
    with told.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            stdout=log,
            stderr=log,
            env={"PATH": os.environ["PATH"], "MOTO_ALLOW_NONEXISTENT_REGION": "true"},
        )
    try:
        port = int(eventually(lambda: re.search(r"http://127\.0\.0\.1:(\d+)", told.read_text()))[1])
        yield _with_users(port)
    finally:
        process.kill()
        process.wait()


def _with_users(port: int) -> Store:
    people = _client("iam", port, Keys("any", "any"))
    made = {}
    for name, rights in (("admin", ("s3:*",)), ("writer", RIGHTS), ("reader", ("s3:GetObject",))):
        people.create_user(UserName=name)
        given = people.create_access_key(UserName=name)["AccessKey"]
        document = {"Statement": {"Effect": "Allow", "Action": list(rights), "Resource": "*"}, "Version": "2012-10-17"}
        people.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=json.dumps(document))
        made[name] = Keys(given["AccessKeyId"], given["SecretAccessKey"])
    # From now on each request is checked.
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/moto-api/reset-auth", "0")
    assert connection.getresponse().status == 200
    connection.close()
    return Store(port, _client("s3", port, made["admin"]), made["writer"], made["reader"])


def _client(service: str, port: int, keys: Keys) -> Any:
    return botocore.session.Session().create_client(
        service,
        region_name="us-east-1",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id=keys.key_id,
        aws_secret_access_key=keys.secret,
        config=botocore.config.Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


@dataclass
class Call:
    """One request that came through the gateway."""

    method: str
    path: str
    length: int
    headers: dict[str, str]

    @property
    def what(self) -> str:
        """``create``, ``part 2``, ``complete``, ``abort`` or ``put``."""
        if self.method == "POST":
            return "create" if "uploads" in self.path else "complete"
        if self.method == "DELETE":
            return "abort"
        number = re.search(r"partNumber=(\d+)", self.path)
        return f"part {number[1]}" if number else "put"


@dataclass
class Gateway:
    """Stands before the store, notes every request, and does to some what ``fault`` says.

    ``fault`` gives None to hand the request on, a status and body to answer it, ``cut`` to cut the connection before
    it is handed on, or ``cut after`` to do so before the answer.
    """

    store: Store
    port: int = 0
    calls: list[Call] = field(default_factory=list)
    fault: Callable[[Call], tuple[int, str] | str | None] = lambda _: None
    tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        """Where the store seems to be."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    @property
    def seen(self) -> list[str]:
        """What was asked for, in order."""
        return [call.what for call in self.calls]

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Listen, on the same port each time."""
        gateway = self

        class Answerer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                call = Call(self.command, self.path, len(body), dict(self.headers))
                gateway.calls.append(call)
                fault = gateway.fault(call)
                if fault == "cut":
                    return self.cut()
                told = fault if isinstance(fault, tuple) else gateway.hand_on(call, body)
                return self.cut() if fault == "cut after" else self.tell(*told)

            def cut(self) -> None:
                self.close_connection = True
                self.connection.shutdown(SHUT_RDWR)

            def tell(self, status: int, content: str, headers: dict[str, str] | None = None) -> None:
                raw = content.encode()
                self.send_response(status)
                for name, value in {**(headers or {}), "content-length": str(len(raw))}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(raw)

            def __getattr__(self, name: str) -> Callable[[], None]:
                # Every method alike; the library asks for a function named after each.
                if name.startswith("do_"):
                    return self.answer
                raise AttributeError(name)

            def log_message(self, *_: Any) -> None:
                pass

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Answerer)
        server.daemon_threads = True
        self.port = server.server_port
        if self.tls:
            server.socket = self.tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join(10)

    def hand_on(self, call: Call, body: bytes) -> tuple[int, str, dict[str, str]]:
        """The store's own answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.store.port)
        connection.request(call.method, call.path, body, call.headers)
        answer = connection.getresponse()
        told = answer.read().decode()
        connection.close()
        return answer.status, told, {"etag": answer.headers["etag"]} if "etag" in answer.headers else {}
