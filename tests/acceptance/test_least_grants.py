"""A whole fleet as a role that owns nothing, with Row Level Security on: it does all that it does as the owner."""

import json

import pytest

from db.grants import missing
from db.row_level_security import switch_on
from db.session import connect
from platforms.simulator.running import running_simulator
from tests.fleet import Fleet, eventually
from tests.integration.handlers.people import insert_user, part
from tests.jobs import (
    assert_counters_are_true,
    background_is_final,
    background_job,
    insert_background_job,
    insert_job,
    job,
    stored_ids,
    task,
)
from tests.jobs import is_final as ended
from tests.roles import deployed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.direct("logs in as roles that a pooler does not know"),
    pytest.mark.timeout(240),
]
ITEMS = 60
REFUSALS = ("permission denied", "InsufficientPrivilege", "violates row-level security", "must be owner")
SUBSCRIPTION = {
    "id": "evt_1",
    "type": "customer.subscription.updated",
    "created": 1_780_000_000,
    "livemode": False,
    "data": {
        "object": {
            "id": "sub_1",
            "object": "subscription",
            "customer": "cus_1",
            "status": "active",
            "metadata": {"userId": "user_2"},
        }
    },
}


@pytest.fixture(scope="module")
def deployment(servers):
    with deployed(servers.database_url) as made:
        with connect(made.owner.url) as owner:
            switch_on(owner)
        yield made


@pytest.fixture(scope="module")
def owner(deployment):
    with connect(deployment.owner.url) as connection:
        yield connection


@pytest.fixture(scope="module")
def simulator():
    with running_simulator("--items-per-query", str(ITEMS), "--seed", "3") as simulator:
        yield simulator


@pytest.fixture(scope="module")
def fleet(deployment, module_redis_url, simulator, tmp_path_factory):
    settings = {
        "TRAWLER_SCHEDULES": "true",
        "TRAWLER_SWEEP_SECONDS": "0.5",
        "TRAWLER_BUDGETS": json.dumps({"scrapecreators": {"day": 100_000, "tenant_day": 50_000}}),
        "COLUMNS": "200",
    }
    logs = tmp_path_factory.mktemp("fleet")
    with Fleet(deployment.fleet.url, module_redis_url, simulator.url, logs, **settings) as fleet:
        fleet.reconciler()
        fleet.worker()
        yield fleet


def nothing_was_refused(fleet) -> None:
    text = fleet.log()
    assert [line for line in text.splitlines() if any(word in line for word in REFUSALS)] == []


def test_searches_of_every_platform_are_done_and_counted(fleet, owner):
    # When each platform is searched for a user with a plan
    insert_user(
        owner,
        "user_1",
        user_subscriptions={"current_plan": "glow_up", "subscription_status": "active"},
        user_usage={"plan_creators_limit": 1000, "plan_campaigns_limit": 3},
    )
    ids = [
        insert_job(owner, platform=platform, keywords=["lamp"], target_results=30, user_id="user_1")
        for platform in ("TikTok", "Instagram", "YouTube")
    ]
    # Then all is stored, with profiles, and what it cost is counted
    for job_id in ids:
        eventually(lambda job_id=job_id: ended(owner, job_id))
        assert job(owner, job_id)["status"] == "completed", job(owner, job_id)["error"]
        assert_counters_are_true(owner, job_id)
        assert len(stored_ids(owner, job_id)) == 30
    assert part(owner, "user_usage", "user_1")["usage_creators_current_month"] == 90
    assert owner.execute("SELECT count(*) > 0 FROM worker.spend").fetchone() == (True,)
    assert owner.execute("SELECT count(*) > 0 FROM worker.budget_use").fetchone() == (True,)
    nothing_was_refused(fleet)


def test_every_kind_of_background_job_is_done(fleet, owner, tmp_path):
    # Given users, a campaign that has ended, a stored job, and jobs long over
    insert_user(
        owner,
        "user_2",
        users={"onboarding_step": "intent_captured"},
        user_subscriptions={"trial_status": "pending"},
        user_billing={"stripe_customer_id": "cus_1"},
        user_usage={"usage_reset_date": "sql:now() - interval '40 days'", "usage_creators_current_month": 7},
    )
    insert_user(
        owner,
        "user_3",
        user_subscriptions={"trial_status": "active", "trial_end_date": "sql:now() - interval '1 day'"},
        user_system_data={},
    )
    (campaign,) = owner.execute(
        "INSERT INTO campaigns (user_id, name, search_type, status) VALUES ('user_2', 'lamps', 'keyword', 'active')"
        " RETURNING id::text"
    ).fetchone()
    stored = insert_job(
        owner, user_id="user_2", campaign_id=campaign, target_results=10, search_params={"enrich": "none"}
    )
    eventually(lambda: ended(owner, stored))
    old = insert_job(owner, status="completed")
    owner.execute(
        "UPDATE scraping_jobs SET created_at = now() - interval '90 days', updated_at = now() - interval '90 days',"
        " completed_at = now() - interval '90 days' WHERE id = %s::uuid",
        (old,),
    )
    # When every handler has a job
    payloads = {
        "noop": {},
        "complete_onboarding": {"userId": "user_2", "stripeSubscriptionId": "sub_1"},
        "schedule_trial_emails": {"userId": "user_2"},
        "send_email": {"userId": "user_2", "type": "welcome"},
        "send_trial_email": {"userId": "user_3", "type": "trial_expiry"},
        "expire_trial": {"userId": "user_3"},
        "expire_trials": {},
        "reset_monthly_usage": {},
        "sync_subscription": SUBSCRIPTION,
        "enrich_creators": {"jobId": stored},
        "export_creators": {"jobId": stored, "to": str(tmp_path)},
        "finish_campaign": {"campaignId": campaign},
        "process_events": {},
        "cleanup_jobs": {},
    }
    for job_type, payload in payloads.items():
        job_id = insert_background_job(owner, job_type, payload)
        eventually(lambda job_id=job_id: background_is_final(owner, job_id))
        row = background_job(owner, job_id)
        # Then it is done
        assert row["status"] == "completed", f"{job_type}: {row['error']}"
    assert set(payloads) == {name for (name,) in owner.execute("SELECT DISTINCT job_type FROM background_jobs")}
    assert part(owner, "users", "user_2")["onboarding_step"] == "completed"
    assert part(owner, "user_usage", "user_2")["usage_creators_current_month"] == 0
    assert part(owner, "user_subscriptions", "user_3")["trial_status"] == "expired"
    assert part(owner, "user_system_data", "user_2")["email_schedule_status"]["welcome"]["status"] == "sent"
    assert owner.execute("SELECT status FROM campaigns WHERE id = %s::uuid", (campaign,)).fetchone() == ("completed",)
    assert owner.execute("SELECT count(*) FROM scraping_jobs WHERE id = %s::uuid", (old,)).fetchone() == (0,)
    assert (tmp_path / f"creators-{stored}.csv").exists()
    nothing_was_refused(fleet)


def test_an_operator_does_everything(fleet, owner):
    # Given a job that waits for a lane that is paused
    commands = [
        ("pause", "scrape.tiktok", "--reason", "balance"),
        ("enqueue", "desk lamp", "--user", "user_4", "--target", "20"),
    ]
    for command in commands:
        done = fleet.ops(*command)
        assert done.returncode == 0, done.stdout + done.stderr
    (waiting,) = owner.execute("SELECT id::text FROM scraping_jobs WHERE user_id = 'user_4'").fetchone()
    # When it is looked at from all sides, cancelled, retried and let go
    for command in (
        ("list",),
        ("show", waiting),
        ("explain", waiting),
        ("status",),
        ("quarantine",),
        ("spend", "--by", "day"),
        ("schedules", "list"),
        ("config", "list"),
        ("config", "set", "timeouts.standard_job_timeout", "30m"),
        ("config", "set", "timeouts.standard_job_timeout", "60m"),
        ("lanes",),
        ("workers",),
        ("top", "--once"),
        ("limits", "show"),
        ("limits", "set", "scrape.tiktok", "--max-running", "200"),
        ("cooldown", "scrape.tiktok", "--for", "1m"),
        ("cooldown", "scrape.tiktok", "--end"),
        ("drain", "--timeout", "1m"),
        ("drain", "--end"),
        ("pause", "--all", "--reason", "balance"),
        ("cancel", waiting, "--reason", "mistake"),
        ("retry", "--user", "user_4"),
        ("undo",),
        ("retry", waiting, "--from-start"),
        ("export", waiting, "--to", "/tmp"),
        ("resume", "--all"),
        ("resume", "--provider", "scrapecreators"),
    ):
        done = fleet.ops(*command)
        text = done.stdout + done.stderr
        assert done.returncode == 0, f"{command}: {text}"
        assert not any(word in text for word in REFUSALS), f"{command}: {text}"
    assert fleet.ops("prune").returncode == fleet.ops("prune", "--dry-run").returncode == 1
    assert fleet.ops("replay", "--provider", "scrapecreators").stdout == "Replay: no item that is not settled\n"
    # Then it is done, and the doctor finds nothing wrong with the role
    eventually(lambda: job(owner, waiting)["status"] == "completed")
    found = json.loads(fleet.ops("doctor", "--json").stdout)
    told = {one["code"]: one["severity"] for one in (found["findings"] if isinstance(found, dict) else found)}
    assert told["rights"] == "ok"
    assert not {"not_checked", "rows_hidden"} & told.keys()
    nothing_was_refused(fleet)


def test_a_right_that_is_taken_away_stops_jobs_and_loses_none(fleet, owner, deployment):
    # Given a fleet whose role may no longer store creators
    owner.execute(f"REVOKE INSERT ON scraping_results FROM {deployment.fleet.role}".encode())
    job_id = insert_job(owner, keywords=["oak desk"], target_results=20, search_params={"enrich": "none"})
    eventually(lambda: "permission denied for table scraping_results" in fleet.log())
    assert missing(owner, deployment.fleet.role) == ["INSERT on public.scraping_results"]
    doctor = fleet.ops("doctor")
    assert doctor.returncode == 1
    assert "INSERT on public.scraping_results" in "".join(doctor.stdout.replace("│", "").splitlines())
    # When it may again, then the job is done, with nothing lost and nothing twice
    owner.execute(f"GRANT INSERT ON scraping_results TO {deployment.fleet.role}".encode())
    eventually(lambda: task(owner, job_id)["state"] in ("ready", "waiting", "closed", "parked"))
    if job(owner, job_id)["status"] == "error":
        assert fleet.ops("retry", job_id).returncode == 0
    eventually(lambda: job(owner, job_id)["status"] == "completed")
    assert len(set(stored_ids(owner, job_id))) == len(stored_ids(owner, job_id)) == 20
