"""The rights of a fleet's role: those that its statements need, no more and no fewer."""

import re

import psycopg
import pytest

from db.grants import FILE, grants, grants_for, missing
from db.queries.adopting import ensure_triggers
from db.queries.diagnosing import upkeep
from db.session import connect
from scripts.doctor.examination import diagnose
from tests.fleet import Fleet
from tests.integration.rights_of_statements import needed
from tests.jobs import insert_background_job, insert_job
from tests.processes import run_to_its_end
from tests.roles import deployed
from worker.boot import check_database
from worker.errors import ConfigurationError
from worker.settings import load_settings

DIRECT = pytest.mark.direct("logs in as roles that a pooler does not know")
SETTINGS = load_settings(SCRAPECREATORS_API_KEY="key")
STATEMENTS = (
    ("INSERT", "INSERT INTO public.users (user_id) VALUES ('user_x')"),
    ("an admin", "UPDATE public.users SET is_admin = true"),
    ("DELETE", "DELETE FROM public.users"),
    ("a plan's price", "UPDATE public.subscription_plans SET monthly_price = 0"),
    ("events that were", "DELETE FROM public.events"),
    ("the ledger of money", "UPDATE worker.spend SET credits = 0"),
    ("the revision", "UPDATE worker.alembic_version SET version_num = '0001'"),
    ("a table", "DROP TABLE public.scraping_jobs"),
    ("a trigger", "DROP TRIGGER trawler_inserted ON public.scraping_jobs"),
    ("tables of its own", "CREATE TABLE public.own (id integer)"),
    ("tables of the engine", "CREATE TABLE worker.own (id integer)"),
    ("results of searches", "UPDATE public.search_results SET bio = ''"),
)


@pytest.fixture(scope="module")
def deployment(servers):
    with deployed(servers.database_url) as made:
        yield made


@pytest.fixture
def owner(deployment):
    with connect(deployment.owner.url) as connection:
        yield connection


@pytest.fixture
def fleet_role(deployment):
    with connect(deployment.fleet.url) as connection:
        yield connection


def test_the_grants_are_those_that_the_statements_need():
    granted: dict[str, set[str]] = {}
    for one in grants():
        if one.kind != "SCHEMA":
            granted.setdefault(one.name + ("()" if one.kind == "FUNCTION" else ""), set()).add(one.right)
    wanted = needed()
    assert {name: sorted(wanted.get(name, ())) for name in wanted | granted} == {
        name: sorted(granted.get(name, ())) for name in wanted | granted
    }


def test_every_line_of_the_file_is_read():
    lines = [line for line in FILE.read_text(encoding="utf-8").splitlines() if line.startswith("GRANT")]
    assert len({one.name for one in grants()}) == len(lines)
    listed = ", ".join(re.sub(r"\(.*?\)", "", line.removeprefix("GRANT ").partition(" ON ")[0]) for line in lines)
    assert [one.right for one in grants()] == [word.strip() for word in listed.split(",")]


def test_a_role_with_a_strange_name_cannot_smuggle_a_statement_in():
    assert 'TO "a"";DROP TABLE x;--";' in grants_for('a";DROP TABLE x;--')


@DIRECT
@pytest.mark.parametrize("one", grants(), ids=str)
def test_without_one_of_them_the_role_is_told_which(one, deployment, owner, fleet_role):
    # Given a role without that right
    columns = f" ({', '.join(one.columns)})" if one.columns else ""
    kind = "" if one.kind == "TABLE" else one.kind
    what = f"{one.right}{columns} ON {kind} {one.name}"
    inherited = one.name == "public"  # anybody may use this schema
    owner.execute(f"REVOKE {what} FROM {deployment.fleet.role}{', PUBLIC' if inherited else ''}".encode())
    try:
        # Then both the owner and the role itself see that it lacks, and nothing else does
        assert missing(owner, deployment.fleet.role) == [str(one)]
        assert missing(fleet_role) == [str(one)]
    finally:
        owner.execute(f"GRANT {what} TO {deployment.fleet.role}{', PUBLIC' if inherited else ''}".encode())
    assert missing(fleet_role) == []


@DIRECT
@pytest.mark.parametrize("statement", [sql for _, sql in STATEMENTS], ids=[name for name, _ in STATEMENTS])
def test_the_role_may_not(statement, fleet_role):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        fleet_role.execute(statement.encode())


@DIRECT
def test_a_web_application_needs_no_right_on_the_engine(deployment, owner):
    # Given a role that puts jobs in and knows nothing of the schema worker
    owner.execute(f"GRANT SELECT, INSERT, UPDATE ON scraping_jobs, background_jobs TO {deployment.web.role}".encode())
    with connect(deployment.web.url) as web:
        # When it puts one into each table, and sets one back
        ids = {insert_job(web), insert_background_job(web, "noop")}
        web.execute("UPDATE scraping_jobs SET status = 'error'")
        web.execute("UPDATE scraping_jobs SET status = 'pending'")
        # Then the engine was told, and the role sees nothing of it
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            web.execute("SELECT FROM worker.inbox")
    assert {job_id for (job_id,) in owner.execute("SELECT job_id FROM worker.inbox")} == ids
    assert owner.execute("SELECT count(*) FROM worker.inbox").fetchone() == (3,)


@DIRECT
def test_the_command_prints_what_the_file_says_and_gives_it(deployment, redis_url, tmp_path):
    environment = Fleet(deployment.owner.url, redis_url, "", tmp_path).environment

    def command(*arguments: str) -> tuple[int, str]:
        done = run_to_its_end("scripts.migrate", arguments, environment, tmp_path)
        return done.returncode, done.stdout + done.stderr

    # Printing needs no database
    assert command("--grants-for", "some_role", "--print") == (0, grants_for("some_role"))
    # Given a role with nothing
    with connect(deployment.owner.url) as owner:
        assert missing(owner, deployment.reader.role)
        # When it is given the grants, twice
        for _ in range(2):
            code, said = command("--grants-for", deployment.reader.role)
            assert code == 0, said
            assert f"the role {deployment.reader.role} may do what a fleet does" in said
        # Then it lacks nothing
        assert missing(owner, deployment.reader.role) == []
    code, said = command("--grants-for", "nobody_of_that_name")
    assert code == 2
    assert "there is no role 'nobody_of_that_name'" in said
    # A role that may not give them is told so
    environment["DATABASE_URL"] = deployment.fleet.url
    code, said = command("--grants-for", deployment.web.role)
    assert code == 2
    assert "permission denied" in said or "run this as the owner" in said


@DIRECT
def test_a_trigger_that_the_fleet_cannot_put_back_is_put_back_by_the_owner_s_next_migration(
    deployment, owner, fleet_role, redis_url, tmp_path
):
    # Given a schema push that dropped a trigger, and a fleet that may not make one
    owner.execute("DROP TRIGGER trawler_pending ON background_jobs")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ensure_triggers(fleet_role)
    # When the owner migrates
    done = run_to_its_end(
        "scripts.migrate", (), Fleet(deployment.owner.url, redis_url, "", tmp_path).environment, tmp_path
    )
    # Then it is there again
    assert done.returncode == 0, done.stderr
    assert "the trigger background_jobs.trawler_pending was missing and is put back" in done.stdout
    assert ensure_triggers(owner) == []


@DIRECT
def test_a_process_of_a_role_without_rights_says_what_to_run(deployment):
    with pytest.raises(ConfigurationError, match="--grants-for"):
        check_database(deployment.web.url)


@DIRECT
def test_the_doctor_of_the_least_role_says_what_it_cannot_see(deployment, owner, fleet_role):
    # Given a session of somebody else, and the fleet's role
    findings = {finding.code: finding for finding in diagnose(fleet_role, None, SETTINGS)}
    # Then nothing is wrong with its rights, nothing went unchecked, and what it cannot see is said
    assert findings["rights"].severity == "ok"
    assert "not_checked" not in findings
    assert findings["unseen_sessions"].severity == "ok"
    assert "sessions of other roles cannot be looked into" in findings["unseen_sessions"].seen
    # With the right to read statistics all is seen
    with connect(deployment.admin) as admin:
        admin.execute(f"GRANT pg_read_all_stats TO {deployment.fleet.role}".encode())
        assert upkeep.unseen_sessions(fleet_role) == 0
        admin.execute(f"REVOKE pg_read_all_stats FROM {deployment.fleet.role}".encode())
