"""The API's applications: each has its own document, errors and routes, and is mounted where it belongs."""

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from pydantic.json_schema import models_json_schema

from console.api import control, jobs, putting, results
from console.api.answers import ProblemDetails
from console.api.failures import add_handlers, paths_of
from console.api.gate import Gate
from console.api.progress import route as progress
from console.api.qstash import publishing
from console.api.services import closing

DOCUMENT = "/openapi.json"
DESCRIPTION = """
Put searches and background jobs in, see how far they are, get what they found, stop them and let them go on.

Send a token of the setting `API_TOKENS` as `Authorization: Bearer <token>`. Each route names the scope it needs:
`read`, `enqueue` or `control`. Every error is `application/problem+json`; its `type` is stable, its `detail` is
for people, and its `errors` name the places that are wrong. Times are UTC.
""".strip()
SCHEME = {"type": "http", "scheme": "bearer", "description": "A token of the setting `API_TOKENS`."}


class Documented(FastAPI):
    """An application whose OpenAPI document has the problem's shape and the token's scheme."""

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if not self.openapi_schema:
            made = get_openapi(
                title=self.title,
                version=self.version,
                description=self.description,
                routes=self.routes,
                servers=self.servers,
            )
            _, shapes = models_json_schema(
                [(ProblemDetails, "serialization")], ref_template="#/components/schemas/{model}"
            )
            components = made.setdefault("components", {})
            components.setdefault("schemas", {}).update(shapes["$defs"])
            components["securitySchemes"] = {"bearer": SCHEME}
            self.openapi_schema = made
        return self.openapi_schema


def make_api() -> APIRouter:
    """The API below ``/api/v1``, with its document at ``/api/v1/openapi.json``; reads ``app.state`` of its host."""
    return _mounted("/api/v1", _api(), frozenset([DOCUMENT]))


def make_qstash() -> APIRouter:
    """What the application publishes to below ``/v2``, as it did to QStash; reads ``app.state`` of its host."""
    app = _application(
        "/v2", "Trawler for QStash", "What becomes of a message: docs/api.md.", [publishing.router], None
    )
    return _mounted("/v2", app, frozenset())


def make_document() -> dict[str, Any]:
    """The OpenAPI document of ``/api/v1``."""
    return _api().openapi()


def _api() -> Documented:
    routers = [putting.router, jobs.router, results.router, progress.router, control.router]
    return _application("/api/v1", "Trawler", DESCRIPTION, routers, DOCUMENT)


def _application(path: str, title: str, description: str, routers: list[APIRouter], document: str | None) -> Documented:
    app = Documented(
        title=title,
        version="1",
        description=description,
        servers=[{"url": path}],
        openapi_url=document,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        root_path_in_servers=False,
    )
    for router in routers:
        app.include_router(router)
    add_handlers(app)
    app.state.paths = paths_of(list(iter_route_contexts(app.routes)))
    return app


def _mounted(path: str, app: Documented, public: frozenset[str]) -> APIRouter:
    outer = APIRouter(lifespan=closing)
    outer.mount(path, Gate(app, public))
    return outer
