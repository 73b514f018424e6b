"""What a customer's billing events add up to: pure, and the same in whatever order they came.

Stripe promises neither order nor single delivery, so the state is never moved on from event to event: it is what all
events known so far tell, read in the order in which they were made. An older event that comes late finds its place
among them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from actors.handlers.billing_event import LIVE, NAMES, STATUSES, BillingEvent


@dataclass(frozen=True, slots=True)
class Told:
    """Something that happened, by the event that told it; ``name`` is the application's event type."""

    name: str
    by: str


@dataclass(frozen=True, slots=True)
class Billing:
    """What the events tell of a user; None where none of them does. Times are naive UTC, as the columns hold them."""

    subscription: str | None = None
    status: str | None = None
    plan: str | None = None
    trial: str | None = None
    trial_start: datetime | None = None
    trial_end: datetime | None = None
    converted_at: datetime | None = None
    cancelled_at: datetime | None = None
    renews_at: datetime | None = None
    newest: int | None = None
    """When the newest event was made, and its type."""
    newest_type: str | None = None
    told: tuple[Told, ...] = ()


@dataclass(slots=True)
class _Subscription:
    """One subscription of the customer: its own newest state, and when it began and changed last."""

    began: tuple[int, int, str]
    changed: tuple[int, int, str]
    status: str | None = None
    plan: str | None = None
    renews: int | None = None
    cancelled: int | None = None


@dataclass(slots=True)
class _Trial:
    """The user's one trial, over all subscriptions."""

    status: str | None
    of: str | None = None
    """The subscription that began it; None where no event told."""
    start: int | None = None
    end: int | None = None
    converted: int | None = None
    told: list[Told] = field(default_factory=list)


def fold(events: Iterable[BillingEvent], plans: Mapping[str, str], trial_before: str | None) -> Billing:
    """What these events tell. ``plans`` are plan keys by price; a price that is not among them tells nothing.

    ``trial_before`` is the ``trial_status`` that the row had before the first event came.

    Of several subscriptions the live one that began last counts, and where none lives the one that changed last.
    """
    subscriptions: dict[str, _Subscription] = {}
    trial = _Trial(trial_before)
    billing = Billing()
    for event in sorted(set(events), key=lambda event: event.place):
        billing = replace(billing, newest=event.created, newest_type=event.type)
        trial.told.append(Told(NAMES[event.type], event.id))
        if event.subscription is None:
            continue
        one = subscriptions.setdefault(event.subscription, _Subscription(event.place, event.place))
        _change(one, event, plans)
        _follow(trial, event)
    ranked = sorted(subscriptions.items(), key=lambda each: _rank(each[1]), reverse=True)
    if ranked:
        name, counting = ranked[0]
        every = [one for _, one in ranked]
        billing = replace(
            billing,
            subscription=name,
            # What the counting one does not tell, the next does: nothing that was told becomes unknown by more events.
            status=next((one.status for one in every if one.status is not None), None),
            plan=next((one.plan for one in every if one.plan is not None), None),
            renews_at=_time(next((one.renews for one in every if one.renews is not None), None)),
            cancelled_at=_time(counting.cancelled),
        )
    return replace(
        billing,
        trial=trial.status,
        trial_start=_time(trial.start),
        trial_end=_time(trial.end),
        converted_at=_time(trial.converted),
        told=tuple(trial.told),
    )


def _change(one: _Subscription, event: BillingEvent, plans: Mapping[str, str]) -> None:
    one.changed = event.place
    if event.type == "customer.subscription.deleted":
        one.status, one.cancelled = "canceled", event.cancelled or event.created
    elif event.type == "invoice.payment_failed":
        # A failed payment does not bring back what has ended.
        one.status = "past_due" if one.status != "canceled" else one.status
    elif event.type != "invoice.payment_succeeded" and event.status is not None:
        one.status, one.cancelled = STATUSES.get(event.status, one.status), event.cancelled
    one.plan = plans.get(event.price or "", one.plan)
    one.renews = event.renews or one.renews


def _follow(trial: _Trial, event: BillingEvent) -> None:
    """The trial's own way: begun, converted when it is paid for, or ended with its subscription."""
    if event.type.startswith("invoice."):
        return
    trial.start, trial.end = event.trial_start or trial.start, event.trial_end or trial.end
    deleted = event.type == "customer.subscription.deleted"
    if event.status == "trialing" and not deleted:
        if trial.status != "active":
            trial.told.append(Told("trial_started", event.id))
        trial.status, trial.of, trial.converted = "active", event.subscription, None
    elif trial.of not in (None, event.subscription):
        return
    elif event.status == "active" and not deleted and trial.status == "active":
        trial.status, trial.converted = "converted", event.created
        trial.told.append(Told("trial_converted", event.id))
    elif (deleted or STATUSES.get(event.status or "") == "canceled") and trial.status == "active":
        expired = trial.end is not None and event.created >= trial.end
        trial.status = "expired" if expired else "cancelled"
        trial.told.append(Told("trial_expired" if expired else "trial_cancelled", event.id))


def _rank(one: _Subscription) -> tuple[bool, tuple[int, int, str]]:
    live = one.status in LIVE
    return live, one.began if live else one.changed


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
