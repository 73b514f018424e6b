"""What a list may be asked for; a name that is none of these is an error, so that no filter is lost unseen."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator

from console.api.moments import Moment
from console.api.storable_json import misfit

Word = Annotated[str, Field(min_length=1, max_length=200)]


class Filters(BaseModel):
    """What all lists have in common."""

    model_config = ConfigDict(extra="forbid")

    status: Word | None = Field(None, description="The row's status, letter by letter.", examples=["error"])
    created_after: Moment | None = Field(
        None, description="Created at this moment or later; needs a time zone.", examples=["2026-11-01T00:00:00Z"]
    )
    created_before: Moment | None = Field(
        None, description="Created before this moment; needs a time zone.", examples=["2026-12-01T00:00:00Z"]
    )
    limit: int = Field(50, ge=1, le=500, description="Jobs of a page.")
    cursor: str | None = Field(
        None, max_length=300, description="`next_cursor` of the page before, with the same filters."
    )

    @field_validator("*", mode="after")
    @classmethod
    def _can_be_asked(cls, value: object) -> object:
        if wrong := misfit(value):
            raise ValueError(wrong[1])
        return value


class ScrapingFilters(Filters):
    """Of scraping jobs."""

    platform: Word | None = Field(None, description="In any casing.", examples=["TikTok"])
    user_id: Word | None = None
    campaign_id: UUID | None = None


class BackgroundFilters(Filters):
    """Of background jobs."""

    job_type: Word | None = Field(None, examples=["send_email"])
    user_id: Word | None = Field(None, description="`userId` of the payload.")


class SearchFilters(Filters):
    """Of rows of `search_jobs`."""

    platform: Word | None = Field(None, description="In any casing.")
    campaign_id: UUID | None = None
    search_id: Word | None = Field(None, description="The application's own id of a search.", examples=["lamps-1"])
