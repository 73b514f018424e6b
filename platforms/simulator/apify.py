"""Apify: runs of the Instagram profile Actor, and their datasets. From its OpenAPI files and recordings."""

from typing import Any, ClassVar

from platforms.simulator.apify_runs import Run, Runs, items_of
from platforms.simulator.calls import Answer, Call, Good, Refused, told, whole
from platforms.simulator.endpoint import BAD_KEY, Endpoint, Provider, Shape, Why
from platforms.simulator.faults import Fault, FaultKind
from platforms.simulator.settings import Settings

_RUN = frozenset({"fullName", "biography", "full_name"})
_WORDS = {
    Why.BAD_KEY: (401, "user-or-token-not-found", "User was not found or authentication token is not valid"),
    Why.TOO_FAST: (429, "rate-limit-exceeded", "You have exceeded the rate limit. Please try again later."),
    Why.QUOTA: (403, "platform-feature-disabled", "Monthly usage hard limit exceeded"),
    Why.BALANCE: (402, "not-enough-usage-to-run-paid-actor", "By launching this job you will exceed your usage."),
    Why.STALE_CURSOR: (404, "record-not-found", "Dataset was not found"),
}


class Apify(Provider):
    """The provider."""

    name: ClassVar[str] = "apify"
    prefix: ClassVar[str] = "/apify"
    optional: ClassVar[str] = "/v2"

    def __init__(self, settings: Settings) -> None:
        self._seed = settings.seed
        self._runs = Runs(settings.run_seconds)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All of them; ``acts`` is also called ``actors``."""
        items = Shape(((),), None, "offset", ("id",), _RUN)
        return (
            Endpoint("/acts/{actor}/runs", self._list, shape=Shape((("data", "items"),))),
            Endpoint("/acts/{actor}/runs", self._start, "POST", mutations={FaultKind.RUN_ENDS: self._end}),
            Endpoint("/actor-runs/{run}", self._run, ready=self._finished),
            Endpoint("/actor-runs/{run}/abort", self._abort, "POST"),
            Endpoint("/actor-runs/{run}/dataset/items", self._items_of_run, shape=items),
            Endpoint(
                "/datasets/{dataset}/items",
                self._items,
                shape=items,
                recorded="instagram_profile__dataset_items",
            ),
            Endpoint("/key-value-stores/{store}/records/INPUT", self._input),
        )

    def account_of(self, call: Call) -> str:
        """The token, of the header or the query."""
        token = call.bearer or call.params.get("token", "")
        if not token:
            raise Refused(_error(401, "token-not-provided", "Authentication token was not provided"))
        if token == BAD_KEY:
            raise Refused(self.refusal(Why.BAD_KEY))
        return token

    def refusal(self, why: Why, wait: float | None = None) -> Answer:
        """As `Provider.refusal` says."""
        return _error(*_WORDS[why])

    def error(self, status: int) -> Answer:
        """The body of a bare error status."""
        known = {401: Why.BAD_KEY, 402: Why.BALANCE, 404: Why.STALE_CURSOR, 429: Why.TOO_FAST}.get(status)
        return self.refusal(known) if known else _error(status, "internal-server-error", "Something went wrong")

    def nowhere(self, method: str, path: str) -> Answer:
        """An unknown path."""
        return _error(404, "page-not-found", "We have bad news: there is no API endpoint at this URL.")

    def hold_runs(self, hold: bool) -> bool:
        """Keep runs from ending, or let them."""
        self._runs.held = hold
        return True

    def expire(self, what: str) -> bool:
        """With the cursors the datasets are gone."""
        if what == "cursors":
            self._runs.forget_datasets()
        return what == "cursors"

    def _start(self, call: Call, account: str) -> Good:
        names = call.sent.get("usernames")
        if not isinstance(names, list) or not names:
            raise Refused(_error(400, "invalid-input", "Input is not valid: Field input.usernames is required"))
        run = self._runs.start(account, call.places["actor"], call.sent)
        return Good({"data": run.told(self._runs)}, 201)

    def _end(self, body: Any, fault: Fault) -> Any:
        run = self._runs.by_id.get(body.get("data", {}).get("id", ""))
        if run:
            run.end = fault.state
        return body

    def _list(self, call: Call, account: str) -> Good:
        runs = [run for run in self._runs.by_id.values() if (run.account, run.actor) == (account, call.places["actor"])]
        if call.params.get("desc") in ("1", "true"):
            runs.reverse()
        offset, limit = whole(call.params.get("offset"), 0) or 0, whole(call.params.get("limit"), 1000) or 1000
        page = [run.told(self._runs) for run in runs[offset : offset + limit]]
        return Good({"data": {"total": len(runs), "offset": offset, "limit": limit, "count": len(page), "items": page}})

    async def _finished(self, call: Call) -> None:
        run = self._runs.by_id.get(call.places["run"])
        if run is not None and (seconds := whole(call.params.get("waitForFinish"), 0, most=60)):
            await self._runs.finished(run, seconds)

    def _run(self, call: Call, account: str) -> Good:
        return Good({"data": self._known(account, run=call.places["run"]).told(self._runs)})

    def _abort(self, call: Call, account: str) -> Good:
        run = self._known(account, run=call.places["run"])
        self._runs.abort(run)
        return Good({"data": run.told(self._runs)})

    def _items_of_run(self, call: Call, account: str) -> Good:
        return self._page(call, self._known(account, run=call.places["run"]))

    def _items(self, call: Call, account: str) -> Good:
        return self._page(call, self._known(account, dataset=call.places["dataset"]))

    def _page(self, call: Call, run: Run) -> Good:
        if run.dataset_gone:
            raise Refused(self.refusal(Why.STALE_CURSOR))
        items = items_of(self._seed, run, self._runs)
        offset, limit = whole(call.params.get("offset"), 0), whole(call.params.get("limit"), 10**6)
        if offset is None or limit is None:
            raise Refused(_error(400, "invalid-value", "offset and limit must be whole numbers"))
        page = items[offset : offset + limit]
        numbers = {"Offset": offset, "Limit": limit, "Count": len(page), "Total": len(items)}
        return Good(page, headers={f"X-Apify-Pagination-{name}": str(number) for name, number in numbers.items()})

    def _input(self, call: Call, account: str) -> Good:
        return Good(self._known(account, store=call.places["store"]).sent)

    def _known(self, account: str, **wanted: str) -> Run:
        """The account's run with this run, dataset or store id. Raises `Refused`."""
        ((name, told_id),) = wanted.items()
        for run in self._runs.by_id.values():
            if run.account == account and run.ids[name] == told_id:
                return run
        raise Refused(_error(404, "record-not-found", f"{name.capitalize()} was not found"))


def _error(status: int, kind: str, message: str) -> Answer:
    return told(status, {"error": {"type": kind, "message": message}})
