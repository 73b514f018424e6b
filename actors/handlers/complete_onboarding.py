"""``complete_onboarding``: the user is set up, has a plan, and the trial begins; all of it or nothing."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
import psycopg

from actors.handlers.contract import Handler, JobContext, JobSettled
from db.queries.events import NewEvent, raise_events
from db.queries.trials import PlanLimits, plans, utc_now
from db.queries.user_parts import Profile, Subscription
from db.queries.users import lock_user, profile, update_user
from worker.configuration_keys import TRIAL_DAYS
from worker.errors import FailJob

DEFAULT_PLAN: Final = "glow_up"
SOURCE: Final = "qstash_job"
"""What the application calls the sender of these events; ours must not come beside them."""
TRIAL_MAY_BEGIN: Final = ("pending", "active")

Text = Annotated[str, msgspec.Meta(min_length=1)]


class CompleteOnboardingPayload(msgspec.Struct, rename="camel"):
    """Whose onboarding is done: ``{"userId": "user_2abc", "planId": "glow_up"}``."""

    user_id: Text
    stripe_subscription_id: Text | None = None
    stripe_customer_id: Text | None = None
    plan_id: Text | None = None


async def run(context: JobContext, payload: CompleteOnboardingPayload) -> JobSettled:
    """Complete a user's onboarding. Does nothing more where it is complete and the trial runs.

    A trial that has expired, was cancelled or converted stays so. Raises `FailJob` for an unknown user or plan.
    """
    days = await context.configuration.value(TRIAL_DAYS)
    async with context.transaction() as connection:
        await lock_user(connection, payload.user_id)
        found = await profile(connection, payload.user_id)
        if found is None:
            raise FailJob(
                "unknown_user",
                f"userId is {payload.user_id!r}, and users has no such user_id; expected one; correct the payload and "
                "set the job to pending",
            )
        trial = found.subscription.trial_status if found.subscription else "pending"
        if found.user.onboarding_step == "completed" and trial == "active":
            return await context.completing(connection, {"alreadyCompleted": True, **_dates(found.subscription)})
        plan = _plan(payload.plan_id, found, await plans(connection))
        changes = _changes(payload, found, plan, await utc_now(connection), timedelta(days=days))
        try:
            await update_user(connection, payload.user_id, changes)
        except psycopg.errors.UniqueViolation as error:
            raise FailJob(
                "customer_taken",
                f"stripeCustomerId is {payload.stripe_customer_id!r}, which another user has; expected one of this "
                "user's own; correct the payload and set the job to pending",
            ) from error
        told = {"userId": payload.user_id, "planId": changes["current_plan"]}
        events = [_event("onboarding", "onboarding_completed", f"onboarding_{payload.user_id}_completed", told)]
        if trial == "pending":
            dates = {name: changes[column].isoformat() for name, column in DATES.items()}
            events.append(_event("trial", "trial_started", f"trial_{payload.user_id}_started", told | dates))
        await raise_events(connection, events)
        done = await profile(connection, payload.user_id)
        return await context.completing(
            connection, {"alreadyCompleted": False, **_dates(done.subscription if done else None)}
        )


DATES: Final = {"trialStartDate": "trial_start_date", "trialEndDate": "trial_end_date"}


def _plan(wanted: str | None, found: Profile, known: dict[str, PlanLimits]) -> PlanLimits | None:
    """The plan that is asked for, else the user's own unless that is free, else the usual one."""
    own = found.subscription.current_plan if found.subscription else "free"
    key = wanted or (own if own != "free" else DEFAULT_PLAN)
    if key not in known and wanted:
        raise FailJob(
            "unknown_plan",
            f"planId is {wanted!r}; expected one of: {', '.join(known)}; correct the payload, or add the plan to "
            "subscription_plans, and set the job to pending",
        )
    return known.get(key)


def _changes(
    payload: CompleteOnboardingPayload, found: Profile, plan: PlanLimits | None, now: datetime, length: timedelta
) -> dict[str, Any]:
    own = found.subscription
    changes: dict[str, Any] = {
        "onboarding_step": "completed",
        "billing_sync_status": "job_onboarding_completed",
        "current_plan": plan.plan_key if plan else (own.current_plan if own else DEFAULT_PLAN),
    }
    if plan:
        changes |= {"plan_campaigns_limit": plan.campaigns_limit, "plan_creators_limit": plan.creators_limit}
        changes |= {"plan_features": plan.features}
    if own is None or own.trial_status in TRIAL_MAY_BEGIN:
        dated = own is not None and own.trial_start_date is not None and own.trial_end_date is not None
        changes |= {
            "trial_status": "active",
            "subscription_status": "trialing",
            "trial_start_date": own.trial_start_date if own and dated else now,
            "trial_end_date": own.trial_end_date if own and dated else now + length,
        }
    if payload.stripe_customer_id:
        changes["stripe_customer_id"] = payload.stripe_customer_id
    if payload.stripe_subscription_id:
        changes["stripe_subscription_id"] = payload.stripe_subscription_id
    return changes


def _dates(subscription: Subscription | None) -> dict[str, str | None]:
    found = {name: getattr(subscription, column, None) for name, column in DATES.items()}
    return {name: None if at is None else at.isoformat() for name, at in found.items()}


def _event(aggregate: str, name: str, key: str, data: dict[str, Any]) -> NewEvent:
    return NewEvent(aggregate, data["userId"], name, key, data, source=SOURCE)


HANDLERS = (Handler("complete_onboarding", CompleteOnboardingPayload, run),)
