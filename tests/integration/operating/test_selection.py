"""Which jobs a filter means."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.integration.operating.made import TABLES, ended, make_lanes, pending, set_row
from tests.jobs import insert_job
from tests.searches import ask, insert_campaign, insert_search
from worker.operating.choosing import candidates
from worker.operating.selection import MOST, Selection

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _lanes(connection):
    make_lanes(connection)


def found(connection, **conditions) -> list[str]:
    selection = Selection(**conditions)
    words = dict.fromkeys(TABLES, ("pending", "queued", "error", "failed", "timeout", "completed"))
    return [row.id for row in candidates(connection, selection, words).rows]


def test_each_condition_is_about_its_own_column(connection):
    campaign = insert_campaign(connection, "user_7")
    words = insert_job(connection, user_id="user_7", platform=" tiktok", campaign_id=campaign)
    like = insert_job(connection, user_id="user_8", platform="YouTube", keywords=None, target_username="@x")
    ask(connection, "mine", user_id="user_8", keywords=["x"])
    search = insert_search(connection, "mine", campaign_id=campaign)
    similar = insert_search(connection, "like", search_type="Similar-creators", platform="YouTube")
    mail = pending(connection, "background_jobs")
    everything = [words, like, search, similar, mail]
    assert sorted(found(connection)) == sorted(everything)
    assert found(connection, platform="TIKTOK") == [words, search]
    assert found(connection, platform="YouTube") == [like, similar]
    assert found(connection, kind="keyword") == [words, search]
    assert found(connection, kind="similar") == [like, similar]
    assert found(connection, kind="noop") == [mail]
    assert found(connection, campaign=campaign.upper()) == [words, search]
    assert found(connection, user="user_7") == [words]
    assert found(connection, user="user_8") == [like, search]
    assert found(connection, user="user_1") == [mail]
    assert found(connection, table="search_jobs", kind="similar") == [similar]
    assert found(connection, status="queued") == [search, similar]
    assert found(connection, ids=[like, mail]) == [like, mail]
    assert found(connection, ids=[like.upper()], user="user_7") == []


@pytest.mark.parametrize("text", ["%_", "\\", "'; DROP TABLE scraping_jobs; --", "[a-z]", "%s %(x)s"])
def test_a_text_in_the_error_is_no_pattern(connection, text):
    mine = insert_job(connection, status="error", error=f"gave up: {text} was SEEN")
    insert_job(connection, status="error", error="gave up: ab was seen")
    insert_job(connection, status="error")
    assert found(connection, error_like=text) == [mine]
    assert len(found(connection, error_like="was seen")) == 2


def test_the_error_of_a_search_is_that_of_its_newest_attempt(connection):
    job_id = ended(connection, "search_jobs")
    for text in ("first", "second"):
        connection.execute(
            "INSERT INTO worker.attempts (task_id, epoch, owner, outcome, reason, detail)"
            " SELECT id, 1, 'w', 'error', 'x', %s FROM worker.tasks",
            (text,),
        )
    assert found(connection, error_like="SECOND") == [job_id]
    assert found(connection, error_like="first") == []


@pytest.mark.parametrize("table", TABLES)
def test_the_span_of_time_is_that_of_the_last_change_in_utc(connection, table):
    connection.execute("SET timezone = 'Asia/Tokyo'")
    job_id = pending(connection, table)
    set_row(connection, table, job_id, updated_at=NOON.replace(tzinfo=None))
    second = timedelta(seconds=1)
    assert found(connection, since=NOON, until=NOON + second) == [job_id]
    assert found(connection, since=NOON + second) == []
    assert found(connection, until=NOON) == []


def test_the_oldest_come_first_and_a_limit_cuts_without_a_word(connection):
    ids = [insert_job(connection, created_at=f"2026-01-0{n}") for n in (3, 1, 2)]
    told = candidates(connection, Selection(limit=2), dict.fromkeys(TABLES, ("pending",)))
    assert ([row.id for row in told.rows], told.more) == ([ids[1], ids[2]], False)


def test_without_the_tables_of_searches_there_are_none(connection):
    job_id = insert_job(connection)
    connection.execute("DROP TABLE search_results, search_jobs")
    assert found(connection) == [job_id]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"ids": ["lamp"]}, "id is 'lamp'; expected a UUID"),
        ({"campaign": "x"}, "campaign is 'x'; expected a UUID"),
        ({"table": "users"}, "table is 'users'; expected one of scraping_jobs"),
        ({"limit": 0}, "limit is 0; expected 1 to 10,000"),
        ({"limit": MOST + 1}, "limit is 10001"),
        ({"ids": [str(uuid4())] * (MOST + 1)}, "10,001 ids; expected 10,000 at most"),
        ({"since": datetime(2026, 1, 1)}, "without a time zone"),  # noqa: DTZ001 - that is what is wrong
        ({"since": NOON, "until": NOON}, "since is not before until"),
    ],
)
def test_what_is_wrong_is_told(wrong, told):
    with pytest.raises(ValueError, match=told.replace(".", r"\.")):
        Selection(**wrong)


def test_nothing_is_named_by_a_limit_or_a_table_alone():
    assert Selection(limit=3, table="scraping_jobs").names_nothing
    assert not Selection(until=NOON).names_nothing
