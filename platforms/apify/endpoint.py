"""What every Apify endpoint does alike: price and judgement."""

from platforms.apify.client import PROVIDER, told
from platforms.apify.outcomes import RULES
from platforms.apify.pricing import CREDITS
from platforms.endpoint import ListedEndpoint
from platforms.pages import Response


class Endpoint(ListedEndpoint):
    """The shared half of a source."""

    provider = PROVIDER
    prices = CREDITS
    rules = RULES
    told = staticmethod(told)

    def charged(self, response: Response) -> int:
        """An answer that is no page costs nothing: what is paid for is a run, and a finished run tells its price."""
        return 0
