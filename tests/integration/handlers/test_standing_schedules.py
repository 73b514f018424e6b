"""The schedules that handlers name: made where they are missing, left alone where they are."""

from datetime import timedelta

import pytest

from db.queries.scheduling import clock
from tests.integration.engine.steps import value
from worker.errors import ConfigurationError
from worker.scheduling import ensure_schedules, fire_due, list_schedules, put_schedule


def shown(connection):
    return {one.stored.name: (one.stored.cron, one.stored.enabled) for one in list_schedules(connection)}


def test_a_missing_schedule_is_made_and_fires_jobs_of_its_name(connection):
    ensure_schedules(connection, {"expire_trials": "0 * * * *"})
    assert shown(connection) == {"expire_trials": ("0 * * * *", True)}
    assert fire_due(connection, clock(connection)) == []
    (fired,) = fire_due(connection, clock(connection) + timedelta(hours=1))
    assert fired.job_type == "expire_trials"
    assert value(connection, "SELECT payload ->> 'slot' FROM background_jobs") == fired.slot.isoformat()


def test_one_that_an_operator_changed_stays_as_it_is(connection):
    put_schedule(connection, "expire_trials", "30 2 * * *", job_type="expire_trials", enabled=False)
    ensure_schedules(connection, {"expire_trials": "0 * * * *"})
    assert shown(connection) == {"expire_trials": ("30 2 * * *", False)}


def test_a_text_that_is_none_is_refused(connection):
    with pytest.raises(ConfigurationError, match="cron is 'often'"):
        ensure_schedules(connection, {"expire_trials": "often"})
