"""A provider that cannot go on hands its job to the next one: nothing is lost, nothing twice, and everybody is told."""

from datetime import UTC, datetime, timedelta

import pytest

from platforms.simulator.running import running_simulator
from platforms.simulator.settings import PROFILE_PATH, SEARCH_PATH
from tests.fleet import eventually, every_provider, fleet_of
from tests.jobs import assert_counters_are_true, attempts, insert_job, is_final, job, state, stored_creators, task

pytestmark = pytest.mark.slow

A, B = "scrapecreators", "tiktok_research"
BOTH = f'{{"tiktok.keyword": ["{A}", "{B}"]}}'
RESEARCH_PATH = "/tiktok_research/v2/research/video/query/"
PATIENT = {
    "TRAWLER_RETRY_BASE_SECONDS": "0.1",
    "TRAWLER_RETRY_CAP_SECONDS": "0.2",
    "TRAWLER_BREAKER_SECONDS": "1",
    "TRAWLER_BREAKER_CAP_SECONDS": "2",
    "TRAWLER_PROVIDERS": BOTH,
}


@pytest.fixture
def simulator():
    with running_simulator("--items-per-query", "200") as running:
        yield running


@pytest.fixture
def fleet(database_url, redis_url, simulator, tmp_path):
    """Two workers that know every provider."""
    settings = {**every_provider(simulator.url), **PATIENT}
    with fleet_of(database_url, redis_url, simulator, tmp_path, 2, **settings) as running:
        yield running


def put_in(connection, **columns):
    params = {"enrich": "none", **columns.pop("search_params", {})}
    row = {"keywords": ["lamp"], "target_results": 150, **columns}
    return insert_job(connection, **row, search_params=params)


def providers_of_pages(connection, job_id):
    """Who gave each page, in order."""
    return [
        provider
        for (provider,) in connection.execute(
            "SELECT p.provider FROM worker.pages p JOIN worker.tasks t ON t.id = p.task_id WHERE t.job_id = %s"
            " ORDER BY p.seq",
            (job_id,),
        )
    ]


def spend_of(connection, job_id):
    """Calls by provider."""
    return dict(
        connection.execute(
            "SELECT provider, sum(calls)::integer FROM worker.spend WHERE job_id = %s GROUP BY provider", (job_id,)
        ).fetchall()
    )


def events_of(connection, job_id):
    """Moves that were told, each with its reason."""
    return [
        (data["from"], data["to"], data["reason"])
        for (data,) in connection.execute(
            "SELECT event_data FROM events WHERE aggregate_id = %s AND event_type = 'provider_failed_over'"
            " ORDER BY timestamp",
            (job_id,),
        )
    ]


def handles(creators):
    return [creator["creator"]["uniqueId"] for creator in creators]


def assert_moved_once(connection, job_id, reason):
    """Two pages of A, then B alone, with no creator twice and both paid for."""
    assert job(connection, job_id)["error"] is None
    pages = providers_of_pages(connection, job_id)
    moved_at = pages.index(B)
    assert (set(pages[:moved_at]), set(pages[moved_at:])) == ({A}, {B})
    assert events_of(connection, job_id) == [(A, B, reason)]
    creators = stored_creators(connection, job_id)
    assert len(set(handles(creators))) == len(creators)
    assert {creator["provenance"]["provider"] for creator in creators} == {A, B}
    assert set(spend_of(connection, job_id)) == {A, B}
    assert_counters_are_true(connection, job_id)


DEATHS = {
    # How A dies at its third page, and the reason that is told.
    "a bad key": ({"kind": "bad_key"}, "bad_key"),
    "an empty balance": ({"kind": "balance_gone"}, "out_of_credits"),
    "answers without a list, again at a distance": ({"kind": "missing_list"}, "missing_list"),
    "pages of another kind": ({"kind": "html"}, "not_json_with_2xx"),
    "server errors that do not pass": ({"kind": "status", "status": 500}, "server_error"),
    "a quota until after the deadline": (
        {"kind": "status", "status": 429, "body": {"message": "daily limit"}},
        "daily_limit",
    ),
}


@pytest.mark.parametrize("death", DEATHS)
def test_a_job_whose_provider_dies_in_mid_walk_goes_on_with_the_next_one(fleet, connection, simulator, death):
    fault, reason = DEATHS[death]
    simulator.set_fault(fault["kind"], SEARCH_PATH, after=2, **{k: v for k, v in fault.items() if k != "kind"})
    deadline = datetime.now(UTC).replace(tzinfo=None) + timedelta(minutes=30)
    job_id = put_in(connection, timeout_at=deadline)
    eventually(lambda: is_final(connection, job_id))
    assert job(connection, job_id)["status"] == "completed"
    assert_moved_once(connection, job_id, reason)
    assert providers_of_pages(connection, job_id)[:2] == [A, A]


def test_an_open_breaker_moves_a_job_without_a_call(fleet, connection, simulator):
    # Given an account that is refused, and a job that has found out
    simulator.set_fault("balance_gone", SEARCH_PATH)
    first = put_in(connection)
    eventually(lambda: is_final(connection, first))
    calls = len(simulator.calls(SEARCH_PATH))
    # When another job comes
    second = put_in(connection, keywords=["tea"])
    eventually(lambda: is_final(connection, second))
    # Then it is with the next provider from its first page on, and at most a probe was sent
    assert job(connection, second)["status"] == "completed"
    assert set(providers_of_pages(connection, second)) == {B}
    assert len(simulator.calls(SEARCH_PATH)) <= calls + 2


def test_a_worker_that_dies_in_the_second_segment_leaves_no_double_and_no_second_event(fleet, connection, simulator):
    # Given a job in its second segment, whose second page there is under way
    simulator.set_fault("balance_gone", SEARCH_PATH, after=2)
    simulator.set_fault("gate", RESEARCH_PATH, after=1, times=1)
    job_id = put_in(connection)
    simulator.wait_for_gate(timeout_seconds=30)
    assert providers_of_pages(connection, job_id) == [A, A, B]
    # When every worker dies
    for worker in fleet.processes[1:]:
        fleet.kill(worker)
    simulator.open_gate()
    fleet.worker()
    # Then the job goes on in that segment
    eventually(lambda: is_final(connection, job_id))
    assert ("crashed", "lease_expired") in attempts(connection, job_id)
    assert_moved_once(connection, job_id, "out_of_credits")


def test_a_provider_that_has_no_other_beside_it_is_waited_for_and_spends_no_attempt(
    database_url, redis_url, connection, simulator, tmp_path
):
    settings = {**PATIENT, "TRAWLER_BREAKER_SECONDS": "4"}
    del settings["TRAWLER_PROVIDERS"]
    with fleet_of(database_url, redis_url, simulator, tmp_path, **settings) as fleet:
        simulator.set_fault("balance_gone", SEARCH_PATH, after=2)
        job_id = put_in(connection)
        eventually(lambda: state(connection, job_id) == "waiting")
        # Then it says why, in the task and to people
        assert task(connection, job_id)["failures"] == 0
        told = fleet.ops("explain", job_id).stdout
        assert "no attempt spent" in told
        assert "out of credits" in told
        assert job(connection, job_id)["error"] is None
        # And goes on where it was once somebody has paid
        simulator.clear_faults()
        eventually(lambda: is_final(connection, job_id))
        assert {outcome for outcome, _ in attempts(connection, job_id)} <= {"wait", "completed"}
        assert set(providers_of_pages(connection, job_id)) == {A}
        assert events_of(connection, job_id) == []
        assert_counters_are_true(connection, job_id)


def test_a_job_whose_providers_all_refuse_waits_and_goes_back_to_the_one_that_is_well_again(
    fleet, connection, simulator
):
    # Given A that dies after two pages and B after one
    simulator.set_fault("balance_gone", SEARCH_PATH, after=2)
    simulator.set_fault("bad_key", RESEARCH_PATH, after=1)
    job_id = put_in(connection)
    eventually(lambda: state(connection, job_id) == "waiting")
    # Then it tells of both
    (detail,) = connection.execute(
        "SELECT a.detail FROM worker.attempts a JOIN worker.tasks t ON t.id = a.task_id WHERE t.job_id = %s"
        " ORDER BY a.id DESC LIMIT 1",
        (job_id,),
    ).fetchone()
    assert f"{A}: " in detail
    assert f"{B}: " in detail
    assert task(connection, job_id)["failures"] == 0
    # When A is well again
    simulator.clear_calls()
    simulator.clear_faults()
    simulator.set_fault("bad_key", RESEARCH_PATH)
    eventually(lambda: is_final(connection, job_id))
    # Then A goes on where it stopped: none of its first pages is paid for again
    pages = providers_of_pages(connection, job_id)
    assert pages[:4] == [A, A, B, A]
    assert set(pages[4:]) <= {A}
    assert min(int(call["params"]["cursor"]) for call in simulator.calls(SEARCH_PATH)) == 60
    assert [event[:2] for event in events_of(connection, job_id)] == [(A, B), (B, A)]
    assert len(set(handles(stored_creators(connection, job_id)))) == len(stored_creators(connection, job_id))


def test_a_row_may_name_its_providers_in_order(fleet, connection, simulator):
    simulator.set_fault("bad_key", RESEARCH_PATH, after=1)
    job_id = put_in(connection, search_params={"provider": [B, A]})
    eventually(lambda: is_final(connection, job_id))
    pages = providers_of_pages(connection, job_id)
    assert pages[0] == B
    assert set(pages[1:]) == {A}
    assert events_of(connection, job_id) == [(B, A, "bad_token")]
    assert_counters_are_true(connection, job_id)


def test_a_page_whose_profiles_are_refused_is_kept_marked_and_paid_for_once(fleet, connection, simulator):
    # Given a balance that is gone when the first page's creators are looked up
    simulator.set_fault("balance_gone", PROFILE_PATH)
    job_id = insert_job(connection, keywords=["lamp"], target_results=60)
    eventually(lambda: is_final(connection, job_id))
    # Then that page is kept, its creators say that the look-up failed, and the next provider gives the rest
    creators = stored_creators(connection, job_id)
    failed = [one for one in creators if one["enhancementStatus"] == "failed"]
    assert failed
    assert {one["provenance"]["provider"] for one in failed} == {A}
    assert {one["provenance"]["provider"] for one in creators} == {A, B}
    assert len(simulator.calls(SEARCH_PATH)) == 1
    assert_counters_are_true(connection, job_id)


def test_people_see_who_gave_which_page_and_what_each_cost(fleet, connection, simulator):
    simulator.set_fault("balance_gone", SEARCH_PATH, after=2)
    job_id = put_in(connection)
    eventually(lambda: is_final(connection, job_id))
    shown = fleet.ops("show", job_id, "--json")
    assert f'"provider": "{B}"' in shown.stdout
    explained = fleet.ops("explain", job_id, "--json").stdout
    assert f"by {A}" in explained
    assert f"by {B}" in explained
    assert "spent" in explained


def test_an_order_that_names_nobody_is_refused_before_a_worker_starts(database_url, redis_url, simulator, tmp_path):
    wrong = '{"tiktok.keyword": ["nobody"], "myspace.keyword": ["apify"], "youtube.similar": []}'
    with fleet_of(database_url, redis_url, simulator, tmp_path, TRAWLER_PROVIDERS=wrong) as fleet:
        assert fleet.processes[1].wait(30) == 2
        told = fleet.log()
    assert "tiktok.keyword names 'nobody'; expected some of scrapecreators, tiktok_research" in told
    assert "'myspace.keyword'" in told
    assert "youtube.similar has no provider" in told


def test_a_creator_whom_the_first_provider_gave_is_known_to_the_second_by_the_handle(fleet, connection, simulator):
    # Given what B has for a search, and a job over it that has two pages of A and is about to get B's first
    alone = put_in(connection, search_params={"provider": B}, target_results=60)
    eventually(lambda: is_final(connection, alone))
    of_b = handles(stored_creators(connection, alone))
    simulator.set_fault("balance_gone", SEARCH_PATH, after=2)
    simulator.set_fault("gate", RESEARCH_PATH, times=1)
    job_id = put_in(connection)
    simulator.wait_for_gate(timeout_seconds=30)
    # Then A's creators are known by their handles
    task_id = task(connection, job_id)["id"]
    seen = {key for (key,) in connection.execute("SELECT key FROM worker.seen_creators WHERE task_id = %s", (task_id,))}
    of_a = handles(stored_creators(connection, job_id))
    assert of_a
    assert {f"@{handle.casefold()}" for handle in of_a} <= seen
    # When some of B's had been among them
    among = of_b[::2]
    connection.cursor().executemany(
        "INSERT INTO worker.seen_creators (task_id, key) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        [(task_id, f"@{handle.casefold()}") for handle in among],
    )
    simulator.open_gate()
    eventually(lambda: is_final(connection, job_id))
    # Then B's others are stored and they are not
    assert not set(among) & set(handles(stored_creators(connection, job_id)))
    assert set(of_b[1::2]) & set(handles(stored_creators(connection, job_id)))
