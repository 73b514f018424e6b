"""The creators that a job found, as cards."""

from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import JSONResponse, Response

from console.reading import blocking, reading
from console.rendering import page
from console.security.access import Reader
from console.words import safe_link
from db.queries import explaining
from db.queries.console import stored
from worker.console_settings import ConsoleSettings

router = APIRouter(include_in_schema=False)
SHOWN: Final = 24
PROFILES: Final = {
    "tiktok": "https://www.tiktok.com/@{}",
    "instagram": "https://www.instagram.com/{}",
    "youtube": "https://www.youtube.com/@{}",
}


@dataclass(frozen=True, slots=True)
class Card:
    """One creator as people see it. ``document`` is what is stored."""

    name: str
    handle: str
    followers: int | None
    bio: str
    emails: list[str]
    verified: bool
    link: str | None
    post: str | None
    picture: str | None
    platform: str
    document: dict[str, Any]


def card_of(document: dict[str, Any], with_picture: bool) -> Card:
    """A card of a stored creator, whichever of the shapes it has and whatever its values are."""
    creator = document.get("creator")
    creator = creator if isinstance(creator, dict) else {}
    video = document.get("video")
    video = video if isinstance(video, dict) else {}

    def first(*values: Any) -> Any:
        return next((value for value in values if value not in (None, "")), None)

    handle = str(first(creator.get("uniqueId"), document.get("username"), creator.get("username")) or "").lstrip("@")
    platform = str(document.get("platform") or "")
    profile = PROFILES.get(platform.casefold())
    known = safe_link(first(document.get("profileUrl"), creator.get("profileUrl")))
    unknown = (document.get("provenance") or {}).get("unknown") if isinstance(document.get("provenance"), dict) else []
    followers = first(creator.get("followers"), document.get("followerCount"))
    emails = first(creator.get("emails"), document.get("emails"))
    picture = first(creator.get("avatarUrl"), document.get("profile_pic_url"), creator.get("profilePicUrl"))
    return Card(
        name=str(first(creator.get("name"), document.get("full_name"), handle) or "Unknown Creator"),
        handle=handle,
        followers=followers
        if isinstance(followers, int) and "creator.followers" not in (unknown if isinstance(unknown, list) else [])
        else None,
        bio=str(first(creator.get("bio"), document.get("bio")) or ""),
        emails=[str(one) for one in emails if isinstance(one, str)] if isinstance(emails, list) else [],
        verified=bool(first(creator.get("verified"), document.get("is_verified"))),
        link=known or (safe_link(profile.format(handle)) if profile and handle else None),
        post=safe_link(video.get("url")),
        picture=safe_link(picture) if with_picture else None,
        platform=platform,
        document=document,
    )


@router.get("/jobs/{job_id}/creators")
async def show(
    request: Request, session: Reader, job_id: UUID, after: Annotated[str, Query(max_length=120)] = ""
) -> Response:
    """Some of them, as a piece that the job's page loads; and from there the next ones."""
    found = await _stored(request, str(job_id), after, SHOWN)
    settings: ConsoleSettings = request.app.state.console
    cards = [card_of(one, bool(settings.picture_sources)) for one in found.creators]
    return page(request, "job/creators.html", cards=cards, found=found, job_id=str(job_id), first=not after)


@router.get("/jobs/{job_id}/creators.json")
async def raw(
    request: Request, session: Reader, job_id: UUID, after: Annotated[str, Query(max_length=120)] = ""
) -> Response:
    """The same as it is stored."""
    found = await _stored(request, str(job_id), after, 100)
    return JSONResponse({"creators": found.creators, "after": found.after})


async def _stored(request: Request, job_id: str, after: str, limit: int) -> stored.Stored:
    row = await blocking(request, explaining.find_row, job_id)
    if row is None or row.job_table == "background_jobs":
        raise HTTPException(404, f"There is no search {job_id}.")
    read = stored.batched if row.job_table == "scraping_jobs" else stored.in_rows
    async with reading(request) as connection:
        return await read(connection, job_id, after or None, limit)
