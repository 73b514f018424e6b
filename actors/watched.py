"""An endpoint whose answer is looked at as it is judged."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

import msgspec

from platforms import drift
from platforms.contract import Endpoint
from platforms.drift import Departure, Shape
from platforms.glance import Glance, raws_of
from platforms.outcome import Judgement, Outcome
from platforms.pages import Page, Response
from worker.errors import ShapeError

DRIFT = "drift"
_LONGEST_LIST = 5
T = TypeVar("T")


class Watched:
    """One call to an endpoint. Afterwards it holds what was seen of the answer's shape.

    Attributes:
        sample: The shape of the answer, with that of earlier small ones; None where it was not looked at.
        enough: Whether the sample is large enough to say anything.
        departures: How it departs from what is usual.
        judgement: What the answer means where something required is lost; None where nothing is.
        body: The answer itself.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        usual: Shape,
        partial: Shape | None,
        required: Sequence[str],
        pause: timedelta,
        glance: Glance,
        *,
        due: bool,
    ) -> None:
        self.endpoint = endpoint.endpoint
        self.credits = endpoint.credits
        self.sample: Shape | None = None
        self.enough = False
        self.departures: list[Departure] = []
        self.judgement: Judgement | None = None
        self.body = b""
        self._inner = endpoint
        self._usual = usual
        self._partial = partial
        self._required = required
        self._pause = pause
        self._glance = glance
        self._due = due

    def judge(self, response: Response) -> Judgement:
        """What the answer means; ``fail_over`` where its shape has drifted."""
        judgement = self._inner.judge(response)
        if judgement.outcome is Outcome.OK and self._due:
            self._look(response.body)
        return self.judgement or judgement

    def charged(self, response: Response) -> int:
        """What the answer cost."""
        return self._inner.charged(response)

    def reading(self, read: Callable[[Response], tuple[T, int]]) -> Callable[[Response], tuple[T, int]]:
        """The same reading; an answer that it has trouble with, or that seems odd, is looked at, due or not."""

        def trying(response: Response) -> tuple[T, int]:
            try:
                found, cost = read(response)
            except ShapeError:
                self._look(response.body)
                raise
            if isinstance(found, Page):
                raws = raws_of(found.items)
                if len(found.unreadable) > len(found.items) or self._glance.odd(raws):
                    self._look(response.body)
                if self.judgement is None:
                    self._glance.learn(raws)
            return found, cost

        return trying

    def _look(self, body: bytes) -> None:
        if self.sample is not None:
            return
        try:
            shape = drift.shape_of(msgspec.json.decode(body))
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return
        self.body = body
        self.sample = drift.merged(self._partial, shape) if self._partial else shape
        self.enough = drift.enough(self.sample, self._required)
        if not self.enough:
            return
        self.departures = drift.departures(self._usual, self.sample, self._required)
        lost = [str(one) for one in self.departures if one.required]
        if lost:
            more = f" and {len(lost) - _LONGEST_LIST} more" if len(lost) > _LONGEST_LIST else ""
            told = (
                f"{self.endpoint} answers in another shape: {', '.join(lost[:_LONGEST_LIST])}{more}; expected what it "
                "gave before; adapt the reader, or wait until the provider mends it"
            )
            self.judgement = Judgement(Outcome.FAIL_OVER, DRIFT, told, self._pause)
