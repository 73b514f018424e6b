"""The target of a similar search: its profile, which opens the walks to accounts like it."""

from typing import Final

import msgspec

from platforms.contract import Query
from platforms.outcome import Judgement, Outcome, Rule, judge_by
from platforms.pages import OPENED, Item, Page, Request, Response, Walk, start_walk
from platforms.scrapecreators.client import told
from platforms.scrapecreators.endpoint import Endpoint
from platforms.scrapecreators.outcomes import TARGET_RULES
from platforms.scrapecreators.pricing import credits_of
from platforms.scrapecreators.tiktok.own_words import own_words
from platforms.scrapecreators.tiktok.profile import ProfileAnswer, followers_of, read_answer
from platforms.scrapecreators.tiktok.trail import Trail
from worker.errors import ShapeError

_PRIVATE: Final = "account_private"
_GONE: Final = "account_deactivated"
_HEAD = msgspec.json.Decoder(ProfileAnswer)
_ENDS: Final = {
    Outcome.NOT_FOUND: "the target account does not exist; expected one that anybody can see",
    Outcome.SKIP_ITEM: "the target account is closed to readers; expected one that anybody can see",
}

TARGET_STEP_RULES: Final = (
    Rule(
        "target_private",
        lambda s, m: s == 200 and m.startswith(_PRIVATE),
        Outcome.STOP_JOB,
        "the target account is private; expected one that anybody can see",
    ),
    Rule(
        "target_missing",
        lambda s, m: s == 200 and m.startswith(_GONE),
        Outcome.STOP_JOB,
        "the target account does not exist or is deactivated; expected one that anybody can see",
    ),
    *(
        Rule(rule.name, rule.matches, Outcome.STOP_JOB, _ENDS[rule.outcome]) if rule.outcome in _ENDS else rule
        for rule in TARGET_RULES
    ),
)
"""Without its target a similar search cannot be done, so what a look-up skips ends the job here."""


class TargetProfile(Endpoint):
    """The source: one answer, no items."""

    endpoint = "tiktok/profile"
    rules = TARGET_STEP_RULES

    def judge(self, response: Response) -> Judgement:
        """What the answer means; a closed account is told with 200. Never raises."""
        message = told(response)
        if response.status == 200 and not message:
            message = _closed(response)
        return judge_by(self.rules, response.status, message, response.headers)

    def request(self, query: Query, walk: Walk) -> Request:
        """The call for the target's profile."""
        return Request(f"/v1/{self.endpoint}", {"handle": walk.word})

    def parse(self, response: Response, query: Query, walk: Walk) -> Page:
        """The walks that the target opens: a user search for each of its own words, and whom it follows.

        Raises:
            ShapeError: ``not_json``, ``wrong_profile_shape`` or ``missing_user``.
        """
        answer = read_answer(response)
        if answer.user is None:
            raise ShapeError("missing_user", "expected user, account_private or account_deactivated")
        user = answer.user
        handle = user.unique_id or walk.word
        words = own_words(handle, user.nickname or "", user.signature or "")
        trail = Trail(0, user.id or "", followers_of(answer), words).text
        return Page(
            ended=True,
            end_reason=OPENED,
            step=True,
            credits=credits_of(answer, self.credits),
            walks=(*(start_walk("users", word, trail) for word in words), start_walk("followings", handle, trail)),
        )

    def reread(self, raw: bytes, query: Query, walk: Walk) -> Item:
        """There are no items here. Raises `ShapeError`."""
        raise ShapeError("wrong_item_shape", "a profile step sets nothing aside")


def _closed(response: Response) -> str:
    """How a 200 says that the account is closed; "" when it does not, or cannot be read."""
    try:
        answer = _HEAD.decode(response.body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
    if answer.account_deactivated is True:
        return _GONE
    private = answer.account_private is True or (answer.user is not None and answer.user.private_account is True)
    return _PRIVATE if private else ""
