"""The command that makes a cassette of one live call."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from actors.providers import PROVIDERS, Providers
from platforms import cassette
from platforms.cassette import Cassette
from platforms.pages import Request, Response
from platforms.registry import ADAPTERS
from scripts.ops.frame import NOT_FOUND, USAGE, fail
from scripts.tables import console, plain
from worker.clock import utc_now
from worker.errors import ConfigurationError, TransportFailure
from worker.redaction import redact
from worker.settings import load_settings


def record(
    provider: Annotated[str, typer.Argument(help="Name of the provider, e.g. scrapecreators.")],
    path: Annotated[str, typer.Argument(help="Path below its base URL.")],
    param: Annotated[list[str] | None, typer.Option(help="A parameter as name=value; may be given often.")] = None,
    body: Annotated[str | None, typer.Option(help="A JSON body; the call is then a POST.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; standard output where none is named.")] = None,
) -> None:
    """Make one call, which is paid for, and keep it as a cassette without secrets and private contact data.

    Example: ./run ops record scrapecreators /v1/tiktok/search/keyword --param query=lamp --out lamp.json.
    """
    if provider not in PROVIDERS:
        fail(f"{provider}: no such provider; there are: {', '.join(PROVIDERS)}", USAGE)
    if not path.startswith("/"):
        fail(f"{path}: expected a path that begins with /, as /v1/tiktok/search/keyword", USAGE)
    pairs = [pair.partition("=") for pair in param or ()]
    if wrong := ["".join(pair) for pair in pairs if not (pair[0] and pair[1])]:
        fail(f"--param {' '.join(wrong)}: expected name=value", USAGE)
    params = {name: value for name, _, value in pairs}
    request = Request(path, params, None if body is None else body.encode())
    try:
        response = asyncio.run(_fetch(provider, request))
    except (ConfigurationError, TransportFailure) as error:
        fail(redact(str(error)), NOT_FOUND if isinstance(error, TransportFailure) else USAGE)
    endpoint, version = _endpoint_of(provider, path)
    document = cassette.encode(
        Cassette(
            provider=provider,
            endpoint=endpoint,
            adapter_version=version,
            recorded_at=utc_now(),
            calls=[cassette.record(request, response, redact)],
        )
    )
    if out is None:
        print(document.decode(), end="")
        return
    out.write_bytes(document)
    told = f"{out}: status {response.status}, {len(response.body)} bytes; look at it before you share it"
    console.print(plain(told), soft_wrap=True)


async def _fetch(provider: str, request: Request) -> Response:
    providers = Providers(load_settings())
    try:
        return await providers.of(provider).fetch(request)
    finally:
        await providers.aclose()


def _endpoint_of(provider: str, path: str) -> tuple[str, int | None]:
    """The endpoint with the longest name in the path, and the version of the newest adapter that reads it."""
    known = [
        (source.endpoint, adapter.capability.version)
        for adapter in ADAPTERS
        if adapter.capability.provider == provider
        for source in (*adapter.sources.values(), *([adapter.profiles] if adapter.profiles else []))
        if source.endpoint in path
    ]
    return max(known, key=lambda one: (len(one[0]), one[1]), default=("", None))
