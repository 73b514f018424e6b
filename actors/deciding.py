"""What a slice does about an answer that is not a page."""

from datetime import timedelta

from platforms.outcome import Judgement, Outcome
from worker.backoff import retry_delay
from worker.job_states import Decision, Ending
from worker.leases import Lease
from worker.limits.contract import Hindrance
from worker.settings import Settings

DEFAULT_WAIT = timedelta(seconds=30)
CONFIGURATION_WAIT = timedelta(minutes=1)
"""How long a job waits for a wrong key or an empty balance to be mended, where no breaker says when it is probed."""

ADVICE_REFUSED = "Correct what the job asks for, then retry it."
ADVICE_GAVE_UP = "Look whether what it needs works, then retry the job; what was found is kept."

ADVICE_PLAN = "Take a larger plan or wait for the next month, then set the job to pending; it goes on where it stopped."

WAITS = {Outcome.WAIT, Outcome.RATE_LIMITED, Outcome.FIX_CONFIGURATION}
RETRIES = {Outcome.RETRY_NOW, Outcome.FALSE_SUCCESS, Outcome.FAIL_OVER, Outcome.RESET_CURSOR}
OUR_LIMITS = {Hindrance.RATE, Hindrance.BREAKER, Hindrance.BUDGET}
SHORTEST = timedelta(milliseconds=100)


def decide(judgement: Judgement, lease: Lease, settings: Settings) -> Decision:
    """Wait (no attempt spent), retry (one spent) or give up, with the provider's own words as detail.

    To go to another provider with a time to come back means to wait, where no other is left.
    """
    if judgement.rule == Hindrance.CREDIT_LIMIT:
        return Decision(Ending.COMPLETED, judgement.rule)
    if judgement.rule in OUR_LIMITS:
        # No call was made, so that no number of such waits says anything about the job.
        return Decision(Ending.WAIT, judgement.rule, judgement.message, max(judgement.wait or DEFAULT_WAIT, SHORTEST))
    if judgement.outcome in WAITS or (judgement.outcome is Outcome.FAIL_OVER and judgement.wait is not None):
        return _wait(judgement, lease, settings)
    if judgement.outcome in RETRIES:
        return retry(judgement.rule, judgement.message, lease, settings, judgement.wait)
    return Decision(Ending.ERROR, judgement.rule, f"{judgement.message}. {ADVICE_REFUSED}")


def retry(reason: str, detail: str, lease: Lease, settings: Settings, floor: timedelta | None = None) -> Decision:
    """Try again later; give up when the attempts are spent: the row's own where it names a number."""
    return retry_or_fail(
        reason,
        detail,
        lease,
        settings.max_attempts - 1 if lease.max_failures is None else lease.max_failures,
        settings.retry_base_seconds,
        settings.retry_cap_seconds,
        floor=floor,
    )


def retry_or_fail(
    reason: str,
    detail: str,
    lease: Lease,
    retries: int,
    base_seconds: float,
    cap_seconds: float,
    *,
    floor: timedelta | None = None,
) -> Decision:
    """Try again after a backoff; give up when ``retries`` were spent without progress between them."""
    if lease.failures >= retries:
        attempts = lease.failures + 1
        return Decision(
            Ending.ERROR, reason, f"gave up after {attempts} attempts without progress: {detail}. {ADVICE_GAVE_UP}"
        )
    delay = retry_delay(lease.failures, base_seconds, cap_seconds, floor)
    # A delay of nothing would put the task back at once and spin.
    return Decision(Ending.RETRY, reason, detail, max(delay, SHORTEST))


def wait_or_fail(
    reason: str, detail: str, lease: Lease, settings: Settings, wait: timedelta | None, usual: timedelta = DEFAULT_WAIT
) -> Decision:
    """Wait without spending an attempt; give up after too many waits in a row, which is a wait for nothing."""
    if lease.waits + 1 >= settings.max_waits:
        return Decision(
            Ending.ERROR, reason, f"gave up after {lease.waits + 1} waits in a row: {detail}. {ADVICE_GAVE_UP}"
        )
    return Decision(Ending.WAIT, reason, detail, max(usual if wait is None else wait, timedelta(seconds=1)))


def plan_limit() -> Decision:
    """End a job whose user's plan has nothing left of this month's creators; what was found is kept."""
    text = "all creators that the user's plan gives in a month are used up, so that the search ended here"
    return Decision(Ending.COMPLETED, "plan_limit", f"{text}. {ADVICE_PLAN}")


def _wait(judgement: Judgement, lease: Lease, settings: Settings) -> Decision:
    usual = CONFIGURATION_WAIT if judgement.outcome is Outcome.FIX_CONFIGURATION else DEFAULT_WAIT
    return wait_or_fail(judgement.rule, judgement.message, lease, settings, judgement.wait, usual)
