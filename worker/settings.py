"""Every setting, typed, from the environment or ``.env``; all problems are told at once.

``.env.example`` lists the same names; a test compares the two.
"""

import os
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker.errors import ConfigurationError
from worker.mail_settings import mail_misfits
from worker.monitoring_settings import MonitoringSettings
from worker.store_settings import StoreAccess

ROOT = Path(__file__).parent.parent
SCRAPECREATORS_HOST = "https://api.scrapecreators.com"
APIFY_HOST = "https://api.apify.com"
YOUTUBE_HOST = "https://www.googleapis.com"
TIKTOK_RESEARCH_HOST = "https://open.tiktokapis.com"
INSTAGRAM_GRAPH_HOST = "https://graph.facebook.com"
RESEND_HOST = "https://api.resend.com"


def _http_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("expected a URL that starts with http:// or https://")
    return value.rstrip("/")


HttpUrl = Annotated[str, AfterValidator(_http_url)]
OptionalHttpUrl = Annotated[str, AfterValidator(lambda value: _http_url(value) if value else value)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class LaneLimits(BaseModel):
    """Limits of one lane; what is not given is the default of all lanes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_running: Annotated[int, Field(ge=0)] | None = None
    max_per_tenant: Annotated[int, Field(ge=0)] | None = None


class Caps(BaseModel):
    """Most credits at one provider, in its own unit; what is not given has no cap."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    day: Annotated[int, Field(ge=0)] | None = None
    """Of one account, from midnight to midnight UTC."""
    tenant_day: Annotated[int, Field(ge=0)] | None = None
    job: Annotated[int, Field(ge=0)] | None = None

    @property
    def given(self) -> dict[str, int]:
        """Those that are set."""
        return self.model_dump(exclude_none=True)


class Settings(MonitoringSettings, BaseSettings):
    """The effective settings of one process. Durations are in seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(
        env_prefix="TRAWLER_",
        # Beside the code, not in the folder a command happens to be called from.
        env_file=os.environ.get("TRAWLER_ENV_FILE", str(ROOT / ".env")) or None,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    database_url: SecretStr = Field(SecretStr(""), validation_alias="DATABASE_URL")
    """Postgres 15 or newer; empty starts an own server below ``home``."""
    redis_url: SecretStr = Field(SecretStr(""), validation_alias="REDIS_URL")
    """Redis 7 or Valkey 8, or newer; empty starts an own server below ``home``."""
    home: Path = ROOT / ".trawler"
    """Where the own servers keep their data."""

    scrapecreators_api_key: SecretStr = Field(SecretStr(""), validation_alias="SCRAPECREATORS_API_KEY")
    scrapecreators_base_url: HttpUrl = Field(SCRAPECREATORS_HOST, validation_alias="SCRAPECREATORS_BASE_URL")
    apify_token: SecretStr = Field(SecretStr(""), validation_alias="APIFY_TOKEN")
    """An API token of Apify; empty leaves that provider out."""
    apify_base_url: HttpUrl = Field(APIFY_HOST, validation_alias="APIFY_BASE_URL")
    youtube_api_key: SecretStr = Field(SecretStr(""), validation_alias="YOUTUBE_API_KEY")
    """A key of a Google Cloud project with the YouTube Data API; empty leaves that provider out."""
    youtube_base_url: HttpUrl = Field(YOUTUBE_HOST, validation_alias="YOUTUBE_BASE_URL")
    tiktok_client_key: SecretStr = Field(SecretStr(""), validation_alias="TIKTOK_CLIENT_KEY")
    """The client key of an app approved for TikTok's Research API; empty leaves that provider out."""
    tiktok_client_secret: SecretStr = Field(SecretStr(""), validation_alias="TIKTOK_CLIENT_SECRET")
    tiktok_research_base_url: HttpUrl = Field(TIKTOK_RESEARCH_HOST, validation_alias="TIKTOK_RESEARCH_BASE_URL")
    instagram_graph_token: SecretStr = Field(SecretStr(""), validation_alias="INSTAGRAM_GRAPH_TOKEN")
    """An access token for the Instagram Graph API; empty leaves that provider out."""
    instagram_graph_user_id: SecretStr = Field(SecretStr(""), validation_alias="INSTAGRAM_GRAPH_USER_ID")
    """The Instagram id of the professional account that the token is for."""
    instagram_graph_base_url: HttpUrl = Field(INSTAGRAM_GRAPH_HOST, validation_alias="INSTAGRAM_GRAPH_BASE_URL")
    providers: dict[str, list[str]] = {}
    """Providers of a search, best first, e.g. ``{"tiktok.keyword": ["scrapecreators", "tiktok_research"]}``.

    A search that is not named is read by all that have credentials, in the order of the registry.
    """
    provider_connect_seconds: Positive = 5
    provider_read_seconds: Positive = 30
    provider_total_seconds: Positive = 60
    """Longest time one provider call may take, body included; the provider's own client waits as long."""
    provider_body_limit_mb: Positive = 50
    """Largest answer that is read, after decompression; the rest is cut off and the answer refused."""
    provider_connections: Annotated[int, Field(ge=1)] = 128

    processes: Annotated[int, Field(ge=1, le=64)] = 2
    """Worker processes that `./run up` starts."""
    slots: Annotated[int, Field(ge=1, le=512)] = 64
    """Tasks one worker process runs at once; each holds a thread."""
    database_connections: Annotated[int, Field(ge=1)] = 8
    """Connections a worker process uses for its slices; its heartbeat has one more."""

    lease_seconds: Positive = 60
    """Life of a lease without a beat; a killed worker's tasks go on after this."""
    beat_seconds: Positive = 15
    slice_seconds: Positive = 45
    """A slice gives its task back after this, so that tenants take turns and deploys are short."""
    slice_pages: Annotated[int, Field(ge=1)] = 20
    slice_limit_seconds: Positive = 300
    """Past this a slice counts as hung: its lease is no longer renewed."""
    reconcile_seconds: Positive = 0.1
    """Pause between two ticks of the reconciler; a plain INSERT waits half of it on average."""
    sweep_seconds: Positive = 60
    """Pause between two full sweeps for what the triggers missed."""
    unhealthy_seconds: Positive = 300
    """A process without a good beat for this long ends itself, so that a supervisor starts another."""
    degraded_after_seconds: Positive = 15
    """Workers poll Postgres once Redis has been away for this long."""
    poll_seconds: Positive = 1
    """Pause between two looks of a worker that polls."""
    recycle_slices: Annotated[int, Field(ge=0)] = 0
    """A worker drains and ends with 0 after so many slices; 0 means never."""
    recycle_rss_mb: Annotated[int, Field(ge=0)] = 1500
    """A worker that holds more memory drains and ends with 0; 0 means never."""

    recheck_seconds: Positive = 30
    """A search that gave nothing at all is asked once more after this, before its job ends with nothing."""

    max_attempts: Annotated[int, Field(ge=1)] = 5
    """Errors in a row, without a page between them, after which a job ends as ``error``."""
    retry_base_seconds: Positive = 5
    retry_cap_seconds: Positive = 600
    park_after_crashes: Annotated[int, Field(ge=1)] = 3
    keep_closed_days: Positive = 90
    """Closed tasks keep their ledger this long; a job may be retried without storing a creator twice as long."""
    keep_attempts_days: Positive = 30
    max_waits: Annotated[int, Field(ge=1)] = 200
    """Waits in a row, without a page between them, after which a job ends as ``error``."""
    job_timeout_seconds: Positive = 3600
    """``timeout_at`` of a row that has none, counted from its first claim."""
    lane_max_running: Annotated[int, Field(ge=1)] = 256
    """Tasks of a new lane that may run at once in the whole fleet."""
    lane_max_per_tenant: Annotated[int, Field(ge=1)] = 8
    lanes: dict[str, LaneLimits] = {}
    """Limits of single lanes when they are first made, e.g. ``{"scrape.tiktok": {"max_running": 64}}``."""
    handlers: str = ""
    """Modules with further background handlers, separated by commas."""
    schedules: bool = True
    """Whether the reconciler makes the schedules that handlers name, where they are missing."""
    background_batch: Annotated[int, Field(ge=1, le=500)] = 10
    """Background jobs one slot claims and runs at once, where their handler names no other number."""

    users_without_plan: Literal["unlimited", "refused"] = "unlimited"
    """What a user gets of whom the tables hold no limit or no counter; ``refused`` is no creators at all."""

    profile_age_days: Positive = 7
    """A stored profile younger than this is used instead of a paid call."""
    profile_calls: Annotated[int, Field(ge=1)] = 10
    """Profile calls one slice makes at once."""

    mail_from: str = Field("", validation_alias="MAIL_FROM")
    """Whom mails are from, e.g. ``Trawler <hello@example.com>``; the name signs them."""
    smtp_url: SecretStr = Field(SecretStr(""), validation_alias="SMTP_URL")
    """The mail server, as ``smtp://user:password@host:port`` or ``smtps://``."""
    resend_api_key: SecretStr = Field(SecretStr(""), validation_alias="RESEND_API_KEY")
    """An API key of Resend. Without it and ``smtp_url``, mails are printed and not sent."""
    resend_base_url: HttpUrl = Field(RESEND_HOST, validation_alias="RESEND_BASE_URL")
    app_url: OptionalHttpUrl = Field("", validation_alias="APP_URL")
    """Where mails lead their readers; empty leaves their links out."""
    mail_seconds: Annotated[float, Field(gt=0, le=120)] = 30
    """Longest time one mail may take to be handed over."""

    aws_access_key_id: SecretStr = Field(SecretStr(""), validation_alias="AWS_ACCESS_KEY_ID")
    """Of an S3-compatible store to which exports may go; empty, with ``aws_secret_access_key``, is no store."""
    aws_secret_access_key: SecretStr = Field(SecretStr(""), validation_alias="AWS_SECRET_ACCESS_KEY")
    aws_session_token: SecretStr = Field(SecretStr(""), validation_alias="AWS_SESSION_TOKEN")
    """Belongs to credentials that hold for some hours only."""
    aws_region: str = Field("us-east-1", validation_alias="AWS_REGION")
    aws_endpoint_url: str = Field("", validation_alias="AWS_ENDPOINT_URL")
    """Where the store is, such as ``https://minio.example.com``; empty is the store of AWS."""
    aws_ca_bundle: str = Field("", validation_alias="AWS_CA_BUNDLE")
    """File with the certificate of the authority that vouches for the store; empty is the public ones."""
    object_store_http: bool = False
    """Whether ``aws_endpoint_url`` may be ``http://`` elsewhere than on this machine."""
    object_store_seconds: Annotated[float, Field(gt=0, le=60)] = 30
    """Longest silence of the store in one call."""

    shape_seconds: Positive = 60
    """Each process compares an endpoint's answers with their known shape once in so long."""

    rates: dict[str, Positive] = {}
    """Most calls a second of one account, by provider, e.g. ``{"scrapecreators": 20}``; without one 429 teaches it."""
    rate_without_redis: Positive = 10
    """Most calls a second one process makes to one group of endpoints while Redis is away; less where it knows less."""
    breaker_failures: Annotated[int, Field(ge=1)] = 20
    """Failures in a row, of the whole fleet, after which an endpoint is called by one probe at a time."""
    breaker_seconds: Positive = 30
    """First pause before a probe; each that fails doubles it, up to the cap."""
    breaker_cap_seconds: Positive = 600
    budgets: dict[str, Caps] = {}
    """Most credits by provider, e.g. ``{"scrapecreators": {"day": 10000, "tenant_day": 2000, "job": 500}}``."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    @model_validator(mode="after")
    def _all_fits(self) -> Self:
        misfits = mail_misfits(self.smtp_url.get_secret_value(), self.resend_api_key.get_secret_value(), self.mail_from)
        misfits += self.monitoring_misfits()
        # A beat that comes late once or twice must not cost the lease.
        if self.beat_seconds > self.lease_seconds / 4:
            misfits.append(
                f"TRAWLER_BEAT_SECONDS is {self.beat_seconds:g} and TRAWLER_LEASE_SECONDS {self.lease_seconds:g}; "
                "expected a beat of at most a quarter of the lease; shorten the beat or lengthen the lease"
            )
        if self.provider_total_seconds + self.slice_seconds > self.slice_limit_seconds:
            misfits.append(
                f"TRAWLER_SLICE_LIMIT_SECONDS is {self.slice_limit_seconds:g}; expected at least "
                "TRAWLER_SLICE_SECONDS + TRAWLER_PROVIDER_TOTAL_SECONDS, "
                f"{self.slice_seconds + self.provider_total_seconds:g}; lengthen it"
            )
        if misfits:
            raise ValueError("\n  ".join(misfits))
        return self

    @cached_property
    def lease(self) -> timedelta:
        """Life of a lease."""
        return timedelta(seconds=self.lease_seconds)

    @cached_property
    def store_access(self) -> StoreAccess:
        """How to reach the store of exports; whether that fits is judged when a job wants it."""
        return StoreAccess(
            self.aws_access_key_id.get_secret_value(),
            self.aws_secret_access_key.get_secret_value(),
            self.aws_session_token.get_secret_value(),
            self.aws_region,
            self.aws_endpoint_url.rstrip("/"),
            self.aws_ca_bundle,
            self.object_store_seconds,
        )

    @cached_property
    def unplanned_creators(self) -> int:
        """Creators a month of a user of whom no plan is known; -1 is no limit."""
        return -1 if self.users_without_plan == "unlimited" else 0

    @cached_property
    def job_timeout(self) -> timedelta:
        """Longest life of a job that set none."""
        return timedelta(seconds=self.job_timeout_seconds)


def load_settings(**overrides: object) -> Settings:
    """Read the settings. Raises `ConfigurationError` that names every wrong variable and what it should hold."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # overrides are checked like the environment
    except ValidationError as error:
        problems = [f"{_variable(e['loc'])}{e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
        wrong = {str(e["loc"][0]) for e in error.errors() if e["loc"]}
        problems += _misfits_besides(wrong, overrides)
        told = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigurationError(f"settings are wrong; mend them in the environment or in .env:\n{told}") from None


def _misfits_besides(wrong: set[str], overrides: dict[str, object]) -> list[str]:
    """How the settings that can be read do not fit each other; those that cannot count as their defaults."""
    if not wrong:
        return []
    defaults = {
        str(field.validation_alias or name): field.default
        for name, field in Settings.model_fields.items()
        if {name, str(field.validation_alias)} & wrong
    }
    try:
        Settings(**{**overrides, **defaults})
    except ValidationError as error:
        return [e["msg"].removeprefix("Value error, ") for e in error.errors() if not e["loc"]]
    return []


def _variable(location: tuple[int | str, ...]) -> str:
    if not location:
        return ""
    name = str(location[0])
    return f"{name if name.isupper() else 'TRAWLER_' + name.upper()}: "
