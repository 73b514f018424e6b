"""Settings of what others watch us by: metrics, readiness, traces, reports of exceptions. A part of `Settings`."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings

RECONCILER_BEAT_SECONDS: Final = 5.0
"""A reconciler gives a sign of life each time this has passed."""
SHORTEST_TOKEN: Final = 16
"""Characters of a token that is worth its name."""
_URL: Final = re.compile(r"https?://[^\s/]+(?:/\S*)?")
_DSN: Final = re.compile(r"https?://[^\s/@]+@[^\s/@]+/\S+")


def _collector(value: str) -> str:
    if value and not _URL.fullmatch(value):
        raise ValueError("expected the URL of a collector, such as http://127.0.0.1:4318")
    return value.rstrip("/")


CollectorUrl = Annotated[str, AfterValidator(_collector)]


class MonitoringSettings(BaseSettings):
    """What `Settings` inherits."""

    metrics_token: SecretStr = Field(SecretStr(""), validation_alias="METRICS_TOKEN")
    """What a scraper sends as bearer token; without one, metrics are given on this machine and to who is logged in."""
    metrics_seconds: Annotated[float, Field(gt=0, le=300)] = 10
    """Pause between two additions of a process to the counters; a killed one loses what it counted since the last."""
    ready_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 15
    """A reconciler without a sign of life for so long is stuck: the deployment is not ready."""
    otlp_endpoint: CollectorUrl = Field("", validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    """Where traces go, by OTLP over HTTP; empty makes none."""
    sentry_dsn: SecretStr = Field(SecretStr(""), validation_alias="SENTRY_DSN")
    """Where unexpected exceptions are reported; empty reports none."""

    def monitoring_misfits(self) -> list[str]:
        """All that is wrong with these, each with what to do; no secret is repeated."""
        misfits = []
        token = self.metrics_token.get_secret_value()
        if token and (len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token):
            misfits.append(
                f"METRICS_TOKEN is too short or holds a blank, a line end or a non-ASCII character; expected at least "
                f"{SHORTEST_TOKEN} printable characters; make one with: openssl rand -hex 16"
            )
        if self.ready_seconds <= RECONCILER_BEAT_SECONDS:
            misfits.append(
                f"TRAWLER_READY_SECONDS is {self.ready_seconds:g}; expected more than {RECONCILER_BEAT_SECONDS:g}, "
                "which is how often a reconciler gives a sign of life; lengthen it"
            )
        if (dsn := self.sentry_dsn.get_secret_value()) and not _DSN.fullmatch(dsn):
            # It is a credential of a kind, so it is not repeated.
            misfits.append("SENTRY_DSN cannot be read; expected https://KEY@HOST/PROJECT, as Sentry shows it; set that")
        return misfits
