"""What every endpoint of the YouTube Data API does alike: price, judgement, and what an answer that is no page cost."""

from dataclasses import replace

from platforms.endpoint import ListedEndpoint
from platforms.outcome import Judgement
from platforms.pages import Response
from platforms.youtube_data_api.client import PROVIDER, told
from platforms.youtube_data_api.outcomes import QUOTA_REASONS, RULES, until_midnight_pacific
from platforms.youtube_data_api.pricing import REFUSED, UNITS
from worker.clock import utc_now


class Endpoint(ListedEndpoint):
    """The shared half of a source or a look-up."""

    provider = PROVIDER
    prices = UNITS
    rules = RULES
    told = staticmethod(told)

    def judge(self, response: Response) -> Judgement:
        """What the answer means; a used-up quota waits until it begins anew. Never raises."""
        judgement = super().judge(response)
        if judgement.rule == "quota_exceeded" and judgement.wait is None:
            return replace(judgement, wait=until_midnight_pacific(utc_now()))
        return judgement

    def charged(self, response: Response) -> int:
        """What an answer that is no page cost: a 200 its list price, a refusal for lack of quota nothing."""
        if response.status == 200:
            return self.credits
        used_up = told(response).partition(":")[0].lower() in QUOTA_REASONS
        return 0 if used_up or response.status >= 500 else REFUSED
