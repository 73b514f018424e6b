"""What the endpoints of all providers do alike: a price by the list, and a judgement by the table of outcomes."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from platforms.outcome import Judgement, Rule, judge_by
from platforms.pages import Response


class ListedEndpoint:
    """The shared half of a source or a look-up. A provider's own ``Endpoint`` sets all but ``endpoint``."""

    provider: ClassVar[str]
    endpoint: ClassVar[str]
    prices: ClassVar[Mapping[str, int]]
    """Credits of one call by endpoint, in the provider's unit."""
    rules: ClassVar[Sequence[Rule]]

    @staticmethod
    def told(response: Response) -> str:
        """What an answer says about itself, in one line: "" for a good one, else its error. Never raises."""
        raise NotImplementedError

    @property
    def credits(self) -> int:
        """The list price of one call."""
        return self.prices[self.endpoint]

    def judge(self, response: Response) -> Judgement:
        """What the answer means. Never raises."""
        return judge_by(self.rules, response.status, self.told(response), response.headers)
