"""A store of its own for every test file, a gateway before it that breaks calls, and no other address."""

import socket
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.handlers.conftest import Engine
from tests.store_server import Gateway, Store, store_server
from worker.settings import load_settings


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with store_server(tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture
def bucket(store: Store) -> str:
    return store.bucket(f"exports-{uuid4().hex[:12]}")


@pytest.fixture
def gateway(store: Store) -> Iterator[Gateway]:
    gateway = Gateway(store)
    with gateway.opened():
        yield gateway


@pytest.fixture(autouse=True)
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Addresses to which Python wants to connect from now on; it gets to those of this machine alone."""
    wanted: list[Any] = []
    connect = socket.socket.connect

    def noted(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            wanted.append(address)
            if address[0] != "127.0.0.1":
                raise OSError(f"{address} is not on this machine")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    return wanted


@pytest.fixture
def configure(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets environment variables, and gives the engine the settings they make."""

    def set_(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        engine.runtime.settings = load_settings()

    return set_


@pytest.fixture
def configured(configure: Callable[..., None], store: Store, gateway: Gateway) -> None:
    configure(
        AWS_ACCESS_KEY_ID=store.writer.key_id,
        AWS_SECRET_ACCESS_KEY=store.writer.secret,
        AWS_ENDPOINT_URL=gateway.url,
    )
