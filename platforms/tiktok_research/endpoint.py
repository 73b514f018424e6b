"""What every endpoint of the Research API does alike: price, judgement, and what an answer that is no page cost."""

from dataclasses import replace

from platforms.endpoint import ListedEndpoint
from platforms.outcome import Judgement
from platforms.pages import Response
from platforms.tiktok_research.client import PROVIDER, told
from platforms.tiktok_research.outcomes import DAILY_QUOTA, RULES, until_midnight
from platforms.tiktok_research.pricing import REQUESTS, requests_of
from worker.clock import utc_now


class Endpoint(ListedEndpoint):
    """The shared half of a source or a look-up."""

    provider = PROVIDER
    prices = REQUESTS
    rules = RULES
    told = staticmethod(told)

    def judge(self, response: Response) -> Judgement:
        """What the answer means. A spent quota waits for the next day, UTC. Never raises."""
        judgement = super().judge(response)
        return replace(judgement, wait=until_midnight(utc_now())) if judgement.rule == DAILY_QUOTA else judgement

    def charged(self, response: Response) -> int:
        """What an answer that is no page used up of the quota."""
        return requests_of(response.status, self.credits)
