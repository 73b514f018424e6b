"""What every ScrapeCreators endpoint does alike: price, judgement, and what an answer that is no page cost."""

import msgspec

from platforms.endpoint import ListedEndpoint
from platforms.pages import Response
from platforms.scrapecreators.client import PROVIDER, Answer, told
from platforms.scrapecreators.outcomes import SEARCH_RULES
from platforms.scrapecreators.pricing import CREDITS, credits_of

_ANSWER = msgspec.json.Decoder(Answer)


class Endpoint(ListedEndpoint):
    """The shared half of a source or a look-up."""

    provider = PROVIDER
    prices = CREDITS
    rules = SEARCH_RULES
    told = staticmethod(told)

    def charged(self, response: Response) -> int:
        """What an answer that is no page cost: what it tells, else the list price of a 200 and nothing for an error.

        An HTML page with 200 comes from something in front of the API, which charges for nothing.
        """
        if response.body.lstrip().startswith(b"<"):
            return 0
        try:
            answer = _ANSWER.decode(response.body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            answer = Answer()
        return credits_of(answer, self.credits if response.status == 200 else 0)
