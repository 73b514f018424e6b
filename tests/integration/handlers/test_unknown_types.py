"""The doctor on background jobs that wait for a handler that is not there."""

from scripts.doctor.examination import diagnose
from tests.integration.engine.test_doctor import SETTINGS
from worker.settings import load_settings


def told(connection, settings=SETTINGS):
    return [finding for finding in diagnose(connection, None, settings) if finding.code == "job_type_unknown"]


def test_waiting_jobs_of_types_that_nobody_knows_are_listed(engine, connection):
    # Given jobs of a type that had a handler once, which wait in its lane, and one that is known
    at = connection.execute("SELECT worker.utc_now() + interval '1 hour'").fetchone()[0]
    gone = [engine.put_in("send_pigeon", {}, scheduled_for=at) for _ in range(2)]
    engine.put_in("noop")
    engine.adopt()
    (finding,) = told(connection)
    assert finding.severity == "warning"
    assert "'send_pigeon': 2 rows" in finding.seen
    assert all(job_id in finding.seen for job_id in gone)
    assert "noop" in finding.expected
    # When a handler is named, or the jobs have ended
    connection.execute("UPDATE worker.tasks SET state = 'closed', closed_at = now() WHERE lane = 'job.send_pigeon'")
    assert told(connection) == []


def test_a_type_of_a_handler_that_is_named_is_known(engine, connection):
    engine.put_in("echo", {"text": "x"})
    engine.adopt()
    assert len(told(connection)) == 1
    assert told(connection, load_settings(handlers="tests.handlers", SCRAPECREATORS_API_KEY="key")) == []
