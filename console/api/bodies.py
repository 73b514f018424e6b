"""What callers send: strict, so that a number as text or a misspelt name is told and not guessed at."""

from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from console.api.moments import Moment
from console.api.params_schema import SEARCH_PARAMS_SCHEMA
from console.api.storable_json import misfit

INTEGER: Final = 2_147_483_647
"""The largest number of an integer column."""
MOST_JOBS: Final = 1000
"""Jobs of one bulk call."""

Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
IdempotencyKey = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[!-~]([ -~]*[!-~])?$")]
CampaignId = Annotated[UUID, Field(strict=False)]
SearchParams = Annotated[dict[str, Any], WithJsonSchema(SEARCH_PARAMS_SCHEMA)]


class Body(BaseModel):
    """What all bodies have in common: no further names, no text in a number's place, nothing that cannot be stored."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _can_be_stored(cls, body: Any) -> Any:
        if isinstance(body, dict) and (wrong := misfit(body)):
            raise PydanticCustomError("unstorable", "{told}", {"below": wrong[0], "told": wrong[1]})
        return body


class ScrapingJob(Body):
    """A search for creators: by `keywords`, or for creators like `target_username`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"user_id": "user_1", "platform": "TikTok", "keywords": ["desk lamp", "#studio"], "target_results": 100}
            ]
        }
    )

    user_id: Text = Field(description="Whose job it is: jobs of different users take turns, and plans are theirs.")
    platform: Annotated[str, Field(max_length=50)] = Field(
        description="`TikTok`, `Instagram` or `YouTube`, in any casing.", examples=["TikTok"]
    )
    keywords: list[str] | None = Field(
        None, description="Each is a walk of its own; `#word` is a hashtag. At most 50 of at most 200 characters."
    )
    target_username: str | None = Field(
        None, description="Find creators like this one: a handle, with or without `@`, or a profile's link."
    )
    target_results: int = Field(1000, ge=1, le=INTEGER, description="Most creators that are stored.")
    region: str = Field("US", description="Country code of the search, two letters.")
    campaign_id: CampaignId | None = Field(None, description="The campaign that the job belongs to; it must exist.")
    search_params: SearchParams | None = None


class ScrapingJobOfMany(ScrapingJob):
    """A search among many."""

    idempotency_key: IdempotencyKey | None = Field(
        None, description="As the header `Idempotency-Key` of a single job.", examples=["order-17"]
    )


class ScrapingJobs(Body):
    """Many searches: all are put in, or none."""

    jobs: list[ScrapingJobOfMany] = Field(min_length=1, max_length=MOST_JOBS)


class BackgroundJob(Body):
    """Something to be done by a handler; docs/job_types.md lists the types and their payloads."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"job_type": "expire_trial", "payload": {"userId": "user_1"}, "delay_seconds": 60}]
        }
    )

    job_type: Annotated[str, Field(max_length=100)] = Field(examples=["noop"])
    payload: dict[str, Any] = Field(default_factory=dict, description="What the handler of the type expects.")
    priority: int = Field(100, ge=-INTEGER, le=INTEGER, description="Lower is sooner.")
    max_retries: int = Field(3, ge=0, le=100, description="Errors after the first that are tried again.")
    scheduled_for: Moment | None = Field(None, description="Not before this moment, with a time zone; now without it.")
    delay_seconds: int | None = Field(
        None, ge=0, le=31_622_400, description="Not before so many seconds from now; in place of `scheduled_for`."
    )


class BackgroundJobOfMany(BackgroundJob):
    """A background job among many."""

    idempotency_key: IdempotencyKey | None = Field(
        None, description="As the header `Idempotency-Key` of a single job.", examples=["invoice-9"]
    )


class BackgroundJobs(Body):
    """Many background jobs: all are put in, or none."""

    jobs: list[BackgroundJobOfMany] = Field(min_length=1, max_length=MOST_JOBS)


class Cancel(Body):
    """Why a job is to stop."""

    reason: Annotated[str, Field(max_length=500)] = Field(
        "", description="What the row's `error` will say behind `cancelled: `.", examples=["the campaign is over"]
    )


class Retry(Body):
    """How a job that ended goes on."""

    from_start: bool = Field(False, description="Delete what was found and begin anew, instead of going on.")
