"""Moments as callers write them: RFC 3339 text, and no number that might be seconds of some clock."""

import re
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

_WRITTEN: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _written(value: Any) -> Any:
    if isinstance(value, datetime) or (isinstance(value, str) and _WRITTEN.fullmatch(value)):
        return value
    raise PydanticCustomError("moment", "expected a moment with a time zone, such as 2026-11-21T09:00:00Z")


Moment = Annotated[datetime, Field(strict=False), BeforeValidator(_written)]
