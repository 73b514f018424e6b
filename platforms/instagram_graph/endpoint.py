"""What every endpoint of the Instagram Graph API does alike: price, judgement, and what an error cost."""

from dataclasses import replace

from platforms.endpoint import ListedEndpoint
from platforms.instagram_graph.client import PROVIDER, told
from platforms.instagram_graph.outcomes import RULES, THROTTLES, regained_after
from platforms.instagram_graph.pricing import CALLS
from platforms.outcome import Judgement
from platforms.pages import Response


class Endpoint(ListedEndpoint):
    """The shared half of a source or a look-up."""

    provider = PROVIDER
    prices = CALLS
    rules = RULES
    told = staticmethod(told)

    def judge(self, response: Response) -> Judgement:
        """What the answer means; a throttle waits as long as the usage header says. Never raises."""
        judgement = super().judge(response)
        if judgement.rule in THROTTLES and "retry-after" not in response.headers:
            return replace(judgement, wait=regained_after(response.headers) or judgement.wait)
        return judgement

    def charged(self, response: Response) -> int:
        """One call: refused ones count towards the limits too."""
        return self.credits
