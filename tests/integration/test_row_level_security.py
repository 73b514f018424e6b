"""Row Level Security: who reads on behalf of one user sees that user's rows; owner and fleet see all."""

import psycopg
import pytest

from db.queries.diagnosing.structure import tables_with_hidden_rows
from db.row_level_security import ALL_ROWS, CONDITIONS, OWN_ROWS, switch_off, switch_on
from db.session import connect
from scripts.doctor.examination import diagnose
from tests.fleet import Fleet
from tests.integration.handlers.people import PARTS, insert_user
from tests.jobs import insert_job
from tests.processes import run_to_its_end
from tests.roles import deployed
from worker.settings import load_settings

pytestmark = pytest.mark.direct("logs in as roles that a pooler does not know")
USERS = ("user_1", "user_2")
NOBODY = "user_3"


@pytest.fixture(scope="module")
def deployment(servers):
    with deployed(servers.database_url) as made:
        with connect(made.owner.url) as owner:
            for user in USERS:
                put_in_rows_of(owner, user)
            names = ", ".join(f"public.{name}" for name in CONDITIONS)
            owner.execute(f"GRANT SELECT ON {names} TO {made.reader.role}, {made.web.role}".encode())
            owner.execute(f"GRANT INSERT, UPDATE, DELETE ON scraping_jobs TO {made.web.role}".encode())
        yield made


@pytest.fixture
def owner(deployment):
    """The owner, with Row Level Security off before and after."""
    with connect(deployment.owner.url) as connection:
        yield connection
        switch_off(connection)


@pytest.fixture
def reader(deployment):
    with connect(deployment.reader.url) as connection:
        yield connection


@pytest.fixture
def web(deployment):
    with connect(deployment.web.url) as connection:
        yield connection


@pytest.fixture
def fleet_role(deployment):
    with connect(deployment.fleet.url) as connection:
        yield connection


def put_in_rows_of(owner, user: str) -> None:
    """One row of a user in every table there is a rule for."""
    insert_user(owner, user, **{name: {} for name in PARTS})
    (campaign,) = owner.execute(
        "INSERT INTO campaigns (user_id, name, search_type) VALUES (%s, 'lamps', 'keyword') RETURNING id", (user,)
    ).fetchone()
    job_id = insert_job(owner, user_id=user, status="completed")
    owner.execute("INSERT INTO scraping_results (job_id, creators) VALUES (%s::uuid, '[]')", (job_id,))
    owner.execute(
        "INSERT INTO search_jobs (id, campaign_id, platform, search_type, total_count)"
        " VALUES (%s, %s, 'TikTok', 'keyword', 1)",
        (f"search of {user}", campaign),
    )
    owner.execute(
        "INSERT INTO search_results (job_id, profile_id, username, platform) VALUES (%s, %s, 'n', 'TikTok')",
        (f"search of {user}", f"profile of {user}"),
    )


def seen(connection, user: str | None = None) -> dict[str, int]:
    """How many rows of each table are seen, in one transaction on behalf of a user."""
    with connection.transaction():
        if user is not None:
            connection.execute("SELECT set_config('app.current_user_id', %s, true)", (user,))
        return {
            name: connection.execute(f"SELECT count(*) FROM public.{name}".encode()).fetchone()[0]
            for name in CONDITIONS
        }


def policies(connection) -> list[tuple[object, ...]]:
    return connection.execute(
        "SELECT p.oid, c.relname, p.polname, p.polroles, c.relrowsecurity, c.relforcerowsecurity"
        "  FROM pg_class c LEFT JOIN pg_policy p ON p.polrelid = c.oid"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY 2, 3"
    ).fetchall()


def all_of(count: int) -> dict[str, int]:
    return dict.fromkeys(CONDITIONS, count)


def test_every_table_with_rows_of_users_has_a_rule(owner):
    # Given all tables that name a user, or belong to one that does
    found = owner.execute(
        """
        WITH RECURSIVE of_users AS (
            SELECT a.attrelid AS oid FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attname = 'user_id'
            UNION
            SELECT k.conrelid FROM pg_constraint k JOIN of_users u ON u.oid = k.confrelid WHERE k.contype = 'f')
        SELECT c.relname FROM of_users u JOIN pg_class c ON c.oid = u.oid
        """
    ).fetchall()
    # Then none is without a rule
    assert {name for (name,) in found} == set(CONDITIONS)


@pytest.mark.parametrize("user", USERS)
def test_a_reader_sees_the_rows_of_one_user_and_no_others(user, owner, reader):
    assert seen(reader, user) == all_of(2)
    switch_on(owner)
    assert seen(reader, user) == all_of(1)
    with reader.transaction():
        reader.execute("SELECT set_config('app.current_user_id', %s, true)", (user,))
        assert reader.execute("SELECT user_id FROM scraping_jobs").fetchall() == [(user,)]
        assert reader.execute("SELECT profile_id FROM search_results").fetchall() == [(f"profile of {user}",)]


@pytest.mark.parametrize("user", [None, "", NOBODY, "user_1' OR true --", "%"])
def test_without_a_user_who_has_rows_nothing_is_seen(user, owner, reader):
    switch_on(owner)
    assert seen(reader, user) == all_of(0)


def test_who_it_is_ends_with_the_transaction(owner, reader):
    switch_on(owner)
    assert seen(reader, "user_1") == all_of(1)
    assert seen(reader) == all_of(0)


def test_owner_and_fleet_see_and_write_every_row(owner, fleet_role):
    switch_on(owner)
    assert seen(owner) == all_of(2)
    mine = {
        name
        for (name,) in fleet_role.execute(
            "SELECT relname FROM pg_class WHERE relname = ANY (%s)"
            " AND relnamespace = 'public'::regnamespace AND has_table_privilege(oid, 'SELECT')",
            (list(CONDITIONS),),
        )
    }
    assert mine == set(CONDITIONS)
    for name in mine:
        assert fleet_role.execute(f"SELECT count(*) FROM public.{name}".encode()).fetchone() == (2,), name
    assert fleet_role.execute("UPDATE scraping_jobs SET progress = 100").rowcount == 2
    assert insert_job(fleet_role, user_id=NOBODY, status="completed")
    assert fleet_role.execute("DELETE FROM scraping_jobs WHERE user_id = %s", (NOBODY,)).rowcount == 1


def test_a_web_application_writes_rows_of_its_user_alone(owner, web):
    switch_on(owner)
    owner.execute("DELETE FROM worker.inbox")
    with web.transaction():
        web.execute("SELECT set_config('app.current_user_id', 'user_1', true)")
        # Another's row can neither be changed nor deleted
        assert web.execute("UPDATE scraping_jobs SET error = 'x' WHERE user_id = 'user_2'").rowcount == 0
        assert web.execute("DELETE FROM scraping_jobs WHERE user_id = 'user_2'").rowcount == 0
        # Its own can be put in, and the engine is told
        job_id = insert_job(web, user_id="user_1")
    assert owner.execute("SELECT job_id FROM worker.inbox").fetchall() == [(job_id,)]
    for statement in (
        "INSERT INTO scraping_jobs (user_id) VALUES ('user_2')",
        "UPDATE scraping_jobs SET user_id = 'user_2' WHERE user_id = 'user_1'",
    ):
        with web.transaction(force_rollback=True):
            web.execute("SELECT set_config('app.current_user_id', 'user_1', true)")
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
                web.execute(statement.encode())
    owner.execute("DELETE FROM scraping_jobs WHERE id = %s::uuid", (job_id,))


def test_twice_changes_nothing_and_off_leaves_all_as_it_was(owner):
    before = policies(owner)
    assert len(switch_on(owner)) > len(CONDITIONS)
    once = policies(owner)
    assert switch_on(owner) == []
    assert policies(owner) == once
    assert not any(forced for *_, forced in once)
    assert len(switch_off(owner)) == len(CONDITIONS)
    assert policies(owner) == before
    assert switch_off(owner) == []


def test_a_rule_of_an_older_release_is_replaced(owner, reader):
    # Given a rule of ours that shows too much
    switch_on(owner)
    owner.execute(f"ALTER POLICY {OWN_ROWS} ON campaigns USING (true)".encode())
    owner.execute(f"COMMENT ON POLICY {OWN_ROWS} ON campaigns IS 'true'".encode())
    assert seen(reader, "user_1")["campaigns"] == 2
    # When it is switched on again, then the table has this release's
    assert switch_on(owner) == ["campaigns: a user's own rows only"]
    assert seen(reader, "user_1") == all_of(1)


def test_rules_of_the_application_stay_and_the_fleet_passes_them(owner, reader, fleet_role):
    # Given a table with rules of the application before ours
    owner.execute("ALTER TABLE campaigns ENABLE ROW LEVEL SECURITY")
    owner.execute("CREATE POLICY theirs ON campaigns USING (status = 'archived')")
    try:
        # When ours are switched on
        assert "campaigns: has rules of the application, which stay" in switch_on(owner)
        # Then theirs alone hold there, and what hangs on a campaign is seen with it
        assert seen(reader, "user_1") == {**all_of(1), "campaigns": 0, "search_jobs": 0, "search_results": 0}
        assert fleet_role.execute("SELECT count(*) FROM campaigns").fetchone() == (2,)
        # And when ours go, then theirs and the fleet's passage stay
        switch_off(owner)
        assert seen(reader, "user_1") == {**all_of(2), "campaigns": 0}
        assert fleet_role.execute("SELECT count(*) FROM campaigns").fetchone() == (2,)
    finally:
        owner.execute("DROP POLICY theirs ON campaigns")
        owner.execute(f"DROP POLICY IF EXISTS {ALL_ROWS} ON campaigns".encode())
        owner.execute("ALTER TABLE campaigns DISABLE ROW LEVEL SECURITY")


def test_rules_that_the_application_adds_later_keep_the_table_closed(owner, reader):
    switch_on(owner)
    owner.execute("CREATE POLICY theirs ON campaigns USING (status = 'archived')")
    try:
        assert "campaigns: has rules of the application, which stay" in switch_off(owner)
        assert seen(reader, "user_1")["campaigns"] == 0
    finally:
        owner.execute("DROP POLICY theirs ON campaigns")
        owner.execute(f"DROP POLICY IF EXISTS {ALL_ROWS} ON campaigns".encode())
        owner.execute("ALTER TABLE campaigns DISABLE ROW LEVEL SECURITY")


def test_who_does_not_own_the_tables_cannot_switch_it(owner, fleet_role):
    switch_on(owner)
    before = policies(owner)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        switch_off(fleet_role)
    assert policies(owner) == before


def test_a_fleet_whose_passage_is_gone_is_told(owner, fleet_role):
    # Given a schema push of the application that dropped a policy it did not know
    switch_on(owner)
    assert tables_with_hidden_rows(fleet_role) == tables_with_hidden_rows(owner) == []
    owner.execute(f"DROP POLICY {ALL_ROWS} ON scraping_jobs".encode())
    # Then the doctor says so, and what to do
    findings = diagnose(fleet_role, None, load_settings(SCRAPECREATORS_API_KEY="key"))
    told = [finding for finding in findings if finding.code == "rows_hidden"]
    assert [(one.severity, one.seen) for one in told] == [("error", "row level security hides rows of scraping_jobs")]
    assert "--grants-for" in told[0].todo


def test_the_command_switches_both_ways_and_lets_a_later_fleet_pass(deployment, owner, redis_url, tmp_path, reader):
    environment = Fleet(deployment.owner.url, redis_url, "", tmp_path).environment

    def command(*arguments: str) -> str:
        done = run_to_its_end("scripts.migrate", arguments, environment, tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    # A plain migration leaves it alone, before and after
    command()
    assert seen(reader, "user_1") == all_of(2)
    assert "scraping_jobs: a user's own rows only" in command("--row-level-security", "on")
    command()
    assert seen(reader, "user_1") == all_of(1)
    # A role that becomes a fleet's afterwards is let through
    said = command("--grants-for", deployment.reader.role)
    assert f"every row for {deployment.fleet.role}, {deployment.reader.role}" in said
    assert seen(reader)["scraping_jobs"] == 2
    with connect(deployment.owner.url) as connection:
        connection.execute(f"REVOKE ALL ON worker.tasks FROM {deployment.reader.role}".encode())
    assert "row level security: on already" not in command("--row-level-security", "on")
    assert seen(reader) == all_of(0)
    assert "scraping_jobs: all rows" in command("--row-level-security", "off")
    assert "row level security: off already" in command("--row-level-security", "off")
    assert seen(reader, "user_1") == all_of(2)
