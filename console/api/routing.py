"""The kind of route that all of the API are: scope first, then the media type, then the body."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from console.api.problems import Problem, Wrong, invalid
from console.api.tokens import require


class JsonRoute(APIRoute):
    """Refuses a caller without the scope that `documents.needs` declares, and a body that is not declared as JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, behind both questions."""
        handle = super().get_route_handler()
        (asked,) = (self.openapi_extra or {})["security"]
        (scope,) = asked["bearer"]
        has_body = self.body_field is not None
        known = _query_names(self)

        async def guarded(request: Request) -> Response:
            require(request, scope)
            if known is not None:
                _refuse_others(request, known)
            if has_body:
                _expect_json(request)
            return await handle(request)

        return guarded


def make_router() -> APIRouter:
    """A router whose routes are of this kind."""
    return APIRouter(route_class=JsonRoute)


def _query_names(route: APIRoute) -> frozenset[str] | None:
    """Names that the query may have; None where a model of its own judges them, or nobody does."""
    fields = route.dependant.query_params
    if "{destination" in route.path or any(_is_model(one.field_info.annotation) for one in fields):
        return None
    return frozenset(one.alias for one in fields)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _refuse_others(request: Request, known: frozenset[str]) -> None:
    """Raise `Problem` for a misspelt parameter, which would else be lost unseen."""
    others = sorted(set(request.query_params) - known)
    if others:
        expected = f"expected some of {', '.join(sorted(known))}" if known else "expected none"
        raise invalid([Wrong(f"{name} is not known; {expected}", parameter=name) for name in others])


def _expect_json(request: Request) -> None:
    given = request.headers.get("content-type")
    empty = request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers
    if given is None and empty:
        return
    media_type = (given or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem(
            415,
            "unsupported_media_type",
            f"Content-Type is {media_type[:100] or 'missing'}; expected application/json",
            headers={"Accept": "application/json"},
        )
