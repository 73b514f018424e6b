"""Runs of an Actor: they go on with time, end as they are told to, and leave items."""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from platforms.simulator.dice import Dice
from platforms.simulator.people import creator, creator_of_handle, number_of
from platforms.simulator.scrapecreators.instagram_shapes import account, related
from platforms.simulator.truth import instagram_id, related_numbers
from worker.clock import utc_now

_LOOK_SECONDS = 0.02
_READY_PART = 0.1
_UNFINISHED = ("READY", "RUNNING")


@dataclass(slots=True)
class Run:
    """One run. ``ids`` names it, its dataset and its store."""

    account: str
    actor: str
    sent: dict[str, Any]
    ids: dict[str, str]
    started_at: datetime
    began: float
    end: str = "SUCCEEDED"
    finished_at: datetime | None = None
    aborted: bool = False
    dataset_gone: bool = False

    def told(self, runs: "Runs") -> dict[str, Any]:
        """The run object."""
        state = runs.state(self)
        done = state not in _UNFINISHED
        return {
            "id": self.ids["run"],
            "actId": self.actor,
            "status": state,
            "statusMessage": None if done else "Actor is running",
            "startedAt": _iso(self.started_at),
            "finishedAt": _iso(self.finished_at) if self.finished_at else None,
            "exitCode": 0 if done else None,
            "stats": {"restartCount": 0, "computeUnits": 0.0},
            "options": {"build": "latest", "timeoutSecs": 300, "memoryMbytes": 1024},
            "usageTotalUsd": 0.0026 * len(self.sent["usernames"]) if done else 0.0,
            "defaultKeyValueStoreId": self.ids["store"],
            "defaultDatasetId": self.ids["dataset"],
        }


class Runs:
    """All runs of one simulator, oldest first."""

    def __init__(self, seconds: float) -> None:
        self.by_id: dict[str, Run] = {}
        self.held = False
        """While true no run ends by itself."""
        self._seconds = seconds

    def start(self, account: str, actor: str, sent: dict[str, Any]) -> Run:
        """Begin one. Nothing makes two equal starts one: each is paid for."""
        dice = Dice("run", account, actor, len(self.by_id))
        ids = {name: dice.hex(17) for name in ("run", "dataset", "store")}
        run = Run(account, actor, sent, ids, utc_now(), time.monotonic())
        self.by_id[ids["run"]] = run
        return run

    def state(self, run: Run) -> str:
        """Its state now."""
        passed = time.monotonic() - run.began
        if not run.finished_at and not run.aborted and (self.held or passed < self._seconds):
            return "READY" if passed < self._seconds * _READY_PART else "RUNNING"
        run.finished_at = run.finished_at or utc_now()
        return "ABORTED" if run.aborted else run.end

    def abort(self, run: Run) -> None:
        """End it, unless it has ended."""
        run.aborted = run.aborted or self.state(run) in _UNFINISHED

    async def finished(self, run: Run, seconds: float) -> None:
        """Return when it has ended, or after this time."""
        deadline = time.monotonic() + seconds
        # Time itself ends a run, so there is nothing that could wake this.
        while self.state(run) in _UNFINISHED and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)

    def forget_datasets(self) -> None:
        """Delete every dataset, as the provider does after some days."""
        for run in self.by_id.values():
            run.dataset_gone = True


def items_of(seed: int, run: Run, runs: Runs) -> list[dict[str, Any]]:
    """What a run has left so far: an entry a name, with half of its related accounts where it ended badly."""
    state = runs.state(run)
    if state in _UNFINISHED:
        return []
    entries = [_entry(seed, str(name)) for name in run.sent["usernames"]]
    if state != "SUCCEEDED":
        for entry in entries:
            kept = entry.get("relatedProfiles", [])
            entry["relatedProfiles"] = kept[: len(kept) // 2]
    return entries


def _entry(seed: int, name: str) -> dict[str, Any]:
    found = creator_of_handle(seed, name)
    if found is None or found.standing == "gone":
        return {"username": name, "error": "not_found", "errorDescription": "Post does not exist"}
    user = account(found)
    return {
        "inputUrl": f"https://www.instagram.example/{name}",
        "id": instagram_id(number_of(found.uid)),
        "username": found.handle,
        "url": f"https://www.instagram.example/{found.handle}",
        "fullName": found.nickname,
        "biography": found.bio,
        "externalUrl": user["external_url"],
        "followersCount": found.followers,
        "followsCount": found.following,
        "postsCount": found.videos,
        "private": found.standing == "private",
        "verified": user["is_verified"],
        "isBusinessAccount": user["is_business_account"],
        "businessCategoryName": "None,Digital creator" if user["is_business_account"] else None,
        "profilePicUrl": user["profile_pic_url"],
        "profilePicUrlHD": user["profile_pic_url_hd"],
        "relatedProfiles": [related(creator(seed, number)) for number in related_numbers(seed, found)],
        "latestPosts": [],
    }


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
