"""What the API answers, as its OpenAPI document describes it; rows are written as they come and checked by tests."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, WithJsonSchema

JobTable = Literal["scraping_jobs", "background_jobs", "search_jobs"]
JobId = Annotated[str, Field(description="A UUID; of a search, the one by which the engine knows it.")]
Moment = Annotated[AwareDatetime | None, Field(description="UTC.")]
AnyJson = Annotated[Any, WithJsonSchema({"description": "As it is stored: any JSON."})]


class Answer(BaseModel):
    """What all answers have in common: more names may come with a later release."""

    model_config = ConfigDict(extra="allow")


class Enqueued(Answer):
    """A job that was put in, or the one that the idempotency key names."""

    job_id: JobId
    created: bool = Field(description="False when the idempotency key named this job already.")
    warnings: list[str] = Field(description="What of the request is ignored.")


class EnqueuedMany(Answer):
    """What became of each job of the call, in its order."""

    jobs: list[Enqueued]
    created: int = Field(description="How many are new.")


class Task(Answer):
    """The engine's record of a job."""

    state: Literal["waiting", "ready", "leased", "parked", "closed"]
    lane: str
    reason: str | None = Field(description="Why it waits, or why it ended.")
    run_at: Moment
    runs: int = Field(description="How often a worker took it.")
    failures: int = Field(description="Errors in a row.")
    waits: int = Field(description="Waits in a row; they spend no attempt.")
    crashes: int = Field(description="Workers that died with it, since its last page.")
    pages: int = Field(description="Pages of a provider that are stored.")
    cancel_at: Moment


class Why(Answer):
    """Why the job is not running now, or that it is."""

    code: str = Field(description="Stable.", examples=["lane_paused"])
    sentence: str = Field(description="For people.")


class Cost(Answer):
    """What the job has cost at one provider, in its own unit."""

    provider: str
    calls: int
    credits: int


class Job(Answer):
    """One job of any table; what a table has no column for is left out."""

    job_id: JobId
    table: JobTable
    status: str = Field(
        description="`pending` (of a search `queued`), `processing`, `completed`, `error` or `timeout`, of a "
        "background job `failed`; the application may have words of its own."
    )
    progress: float | None = Field(None, ge=0, le=100)
    results: int | None = Field(None, description="Creators stored so far.")
    target: int | None = Field(None, description="Creators wanted.")
    user_id: str | None = None
    campaign_id: str | None = None
    search_id: str | None = Field(None, description="The application's own id of a search.")
    platform: str | None = None
    keywords: AnyJson = None
    target_username: str | None = None
    region: str | None = None
    search_params: AnyJson = None
    job_type: str | None = None
    payload: AnyJson = None
    result: AnyJson = None
    priority: int | None = None
    max_retries: int | None = None
    retry_count: int | None = None
    scheduled_for: Moment = None
    created_at: Moment
    started_at: Moment = None
    completed_at: Moment = None
    failed_at: Moment = None
    timeout_at: Moment = None
    updated_at: Moment = None
    error: str | None
    task: Task | None = Field(description="None as long as no reconciler has seen the row.")
    why: Why | None = Field(None, description="Left out where the query says `why=false`.")
    cost: list[Cost] = Field(description="By provider; empty where nothing was asked of one.")


class ListedJob(Answer):
    """One job in a list; what its table has no column for is left out."""

    job_id: JobId
    table: JobTable
    status: str
    state: str | None = Field(description="The state of its task.")
    reason: str | None = Field(description="Why it waits, or why it ended.")
    created_at: Moment
    completed_at: Moment
    error: str | None = None


class JobPage(Answer):
    """Jobs, newest first."""

    jobs: list[ListedJob]
    next_cursor: str | None = Field(description="The cursor of the next page; none after the last.")


class CreatorPage(Answer):
    """Stored creators, in the order in which they were stored."""

    job_id: JobId
    creators: list[Annotated[Any, WithJsonSchema({"description": "A creator; docs/creator_json.md has its shape."})]]
    next_cursor: str | None = Field(
        description="The cursor of the next page; none when nothing more is stored now. A running job may get more."
    )


class Event(Answer):
    """One thing that happened to a job."""

    at: Moment
    kind: Literal["attempt", "page", "wait"]
    text: str
    facts: dict[str, Any]


class Explanation(Answer):
    """Why a job is not running now, with what is known of it, and all that happened to it."""

    job_id: JobId
    table: JobTable
    at: Moment
    code: str
    sentence: str
    facts: dict[str, Any]
    history: list[Event]


class Changed(Answer):
    """What became of a wish to change a job."""

    job_id: JobId
    outcome: str
    detail: str


class WrongPlace(Answer):
    """One wrong place of a request, named in one of three ways."""

    detail: str
    pointer: str | None = Field(None, description="JSON pointer into the body.")
    parameter: str | None = Field(None, description="A parameter of the path or query.")
    header: str | None = None


class ProblemDetails(Answer):
    """An error, by RFC 9457."""

    type: str = Field(description="Stable.", examples=["urn:trawler:problem:invalid_request"])
    title: str
    status: int
    detail: str = Field(description="What was seen, what is expected, what to do.")
    errors: list[WrongPlace] | None = None
