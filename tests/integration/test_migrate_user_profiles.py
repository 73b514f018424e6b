"""Rows of the older one-table layout in the five tables: what is moved, what is left, what is skipped and why."""

from datetime import UTC, datetime

import pytest

from actors.user_profiles import adoption, fields
from actors.user_profiles.layout import Unusable, layout_of
from actors.user_profiles.looking import foresee
from actors.user_profiles.verifying import Mismatch
from db.queries.user_profiles import backups, five_tables, outcomes
from db.queries.user_profiles.older_table import columns_of
from db.session import connect
from tests.fleet import ROOT
from tests.integration.user_profiles import COLUMNS, TABLES, contents, counts, fill, lost, older_table

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
BACKUP = "user_profiles_backup_20260504_030201"
TWINS = "user_000003"


@pytest.fixture
def rows(connection):
    older_table(connection)
    return connection


def adopt(rows, batch=4, name=None, now=NOW):
    return adoption.adopt(rows, layout_of(rows), now, batch, lambda *_: None, name)


def look(rows):
    return foresee(rows, layout_of(rows), 4, lambda *_: None)


def put(rows, **values):
    names = ", ".join(values)
    rows.execute(
        f"INSERT INTO user_profiles ({names}) VALUES ({', '.join(['%s'] * len(values))})", tuple(values.values())
    )


def reason(told, user_id):
    return next(one["reason"] for one in told.skipped if one["user_id"] == user_id)


def test_every_field_of_every_row_arrives_once(rows):
    fill(rows, 1, 11)
    before = contents(rows)
    told = adopt(rows)
    assert told.results == {"moved": 11}
    assert told.verified == dict.fromkeys(TABLES, 11)
    assert told.checksums[0] == told.checksums[1]
    assert lost(rows) == []
    assert counts(rows) == dict.fromkeys(TABLES, 11)
    assert contents(rows) == before


def test_the_backup_is_the_older_table_and_can_be_put_back(rows):
    fill(rows, 1, 5)
    before = contents(rows)
    told = adopt(rows)
    assert told.backup == BACKUP
    rows.execute("DELETE FROM user_profiles")
    rows.execute(backups.restore_statement(rows, BACKUP).encode())
    assert contents(rows) == before


def test_the_move_can_be_undone_as_the_page_says(rows):
    fill(rows, 1, 5)
    rows.execute("INSERT INTO users (user_id) VALUES ('user_000002'), ('user_z')")
    adopt(rows)
    page = (ROOT / "docs" / "user_profiles.md").read_text()
    rows.execute(page[page.index("BEGIN;") : page.index("COMMIT;") + len("COMMIT;")].encode())
    assert counts(rows) == {**dict.fromkeys(TABLES, 0), "users": 2}
    assert [one for (one,) in rows.execute("SELECT user_id FROM users ORDER BY 1")] == ["user_000002", "user_z"]
    assert adopt(rows, name="again").results == {"moved": 4, "completed": 1}
    assert lost(rows) == ["user_000002"]


def test_a_dry_run_writes_nothing_and_tells_what_a_run_then_does(rows):
    fill(rows, 1, 6)
    put(rows, user_id="", full_name="Nobody")
    put(rows, user_id="user_a", current_plan="platinum")
    rows.execute("INSERT INTO users (user_id) VALUES ('user_000002')")
    before = counts(rows)
    looked = look(rows)
    assert counts(rows) == before
    assert backups.unfinished_backup(rows) is None
    told = adopt(rows)
    assert looked.results == told.results == {"moved": 5, "completed": 1, "skipped": 2}
    assert sorted(one["reason"] for one in looked.skipped) == sorted(one["reason"] for one in told.skipped)
    assert looked.reasons == told.reasons == {"user_id": 1, "current_plan": 1}


def test_a_user_that_is_there_keeps_what_it_has_and_gets_what_it_lacks(rows):
    fill(rows, 1, 2)
    # Given one user with all parts, and one with an own name and a usage row only
    adopt(rows)
    rows.execute("UPDATE users SET full_name = 'Own' WHERE user_id = 'user_000002'")
    rows.execute("UPDATE user_usage SET usage_campaigns_current = 77")
    for table in ("user_subscriptions", "user_billing", "user_system_data"):
        rows.execute(
            f"DELETE FROM {table} p USING users u WHERE u.id = p.user_id AND u.user_id = 'user_000002'".encode()
        )
    # When the older table is moved again
    told = adopt(rows, name="again")
    # Then only the missing parts are made
    assert told.results == {"kept": 1, "completed": 1}
    assert told.verified == {**dict.fromkeys(TABLES, 1), "users": 0, "user_usage": 0}
    assert counts(rows) == dict.fromkeys(TABLES, 2)
    name = rows.execute("SELECT full_name FROM users WHERE user_id = 'user_000002'").fetchone()[0]
    used = rows.execute("SELECT array_agg(usage_campaigns_current) FROM user_usage").fetchone()[0]
    assert (name, used) == ("Own", [77, 77])


def test_a_second_run_catches_up_with_new_rows_and_a_third_has_nothing_to_do(rows):
    fill(rows, 1, 5)
    adopt(rows)
    fill(rows, 6, 8)
    second = adopt(rows, name="second")
    third = adopt(rows, name="third")
    assert second.results == {"kept": 5, "moved": 3}
    assert (third.results, third.backup) == ({"kept": 8}, None)
    assert not columns_of(rows, "worker.third")
    assert lost(rows) == []


def test_a_backup_is_never_overwritten(rows):
    fill(rows, 1, 2)
    adopt(rows)
    before = contents(rows, f"worker.{BACKUP}")
    fill(rows, 3, 3)
    with pytest.raises(Unusable, match=f"worker.{BACKUP}.*--backup"):
        adopt(rows)
    assert contents(rows, f"worker.{BACKUP}") == before
    assert counts(rows)["users"] == 2


BAD = {
    "no plan": ({"current_plan": "platinum"}, "current_plan: 'platinum' is no plan of subscription_plans"),
    "no intended plan": ({"intended_plan": "gold"}, "intended_plan: 'gold' is no plan"),
    "counter below zero": ({"usage_campaigns_current": -1}, "usage_campaigns_current: -1 is below 0"),
    "limit below none": ({"plan_creators_limit": -2}, "plan_creators_limit: -2 is below -1"),
    "endless time": ({"trial_end_date": "infinity"}, "trial_end_date: 'infinity' is no time"),
    "time before Christ": ({"trial_end_date": "0044-03-15 BC"}, "trial_end_date: '0044-03-15T00:00:00 BC'"),
    "far time": ({"created_at": "20260-01-01"}, "created_at: '20260-01-01T00:00:00'"),
    "mail schedule no object": ({"email_schedule_status": "[1]"}, "email_schedule_status: expected a JSON object"),
    "long text": ({"brand_description": "x" * 300_000}, "the row: 300,"),
    "long indexed text": ({"email": "x" * 3_000}, "email: 3,000 bytes; its index takes 2,000"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_is_skipped_with_its_reason_and_the_others_go_on(rows, case):
    values, expected = BAD[case]
    fill(rows, 1, 5)
    put(rows, user_id="user_000000", **values)
    told = adopt(rows)
    assert told.results == {"moved": 5, "skipped": 1}
    assert reason(told, "user_000000").startswith(expected)
    assert counts(rows) == dict.fromkeys(TABLES, 5)


@pytest.mark.parametrize("user_id", [None, "", "   ", " user_9", "user_9\n", "u" * 2_001])
def test_a_row_without_a_usable_clerk_id_is_skipped(rows, user_id):
    fill(rows, 1, 3)
    put(rows, user_id=user_id)
    told = adopt(rows)
    assert told.results == {"moved": 3, "skipped": 1}
    assert told.reasons == {"user_id": 1}


def test_of_rows_with_the_same_clerk_id_or_customer_none_is_taken(rows):
    fill(rows, 1, 5)
    put(rows, user_id=TWINS, full_name="Another")
    put(rows, user_id="user_a", stripe_customer_id="cus_5")
    put(rows, user_id="user_b", stripe_customer_id="")
    put(rows, user_id="user_c", stripe_customer_id="")
    told = adopt(rows)
    assert told.results == {"moved": 5, "skipped": 4}
    assert reason(told, TWINS) == "user_id: 2 rows have it"
    assert reason(told, "user_000005") == reason(told, "user_a") == "stripe_customer_id: 2 rows have it"
    assert rows.execute("SELECT count(*) FROM user_billing WHERE stripe_customer_id = ''").fetchone()[0] == 0


def test_a_customer_that_is_another_users_is_not_taken_away(rows):
    fill(rows, 1, 2)
    rows.execute(
        "WITH u AS (INSERT INTO users (user_id) VALUES ('user_z') RETURNING id)"
        " INSERT INTO user_billing (user_id, stripe_customer_id) SELECT id, 'cus_2' FROM u"
    )
    told = adopt(rows)
    assert told.results == {"moved": 1, "skipped": 1}
    assert reason(told, "user_000002") == "stripe_customer_id: user_billing has it for user_z"


def test_a_row_that_a_constraint_of_the_application_refuses_is_skipped_alone(rows):
    rows.execute("ALTER TABLE user_billing ADD CONSTRAINT no_amex CHECK (card_brand <> 'amex')")
    fill(rows, 1, 9)
    rows.execute("UPDATE user_profiles SET card_brand = 'amex' WHERE user_id = 'user_000006'")
    told = adopt(rows)
    assert told.results == {"moved": 8, "skipped": 1}
    assert "no_amex" in reason(told, "user_000006")
    assert counts(rows) == dict.fromkeys(TABLES, 8)


def test_an_oldest_table_is_moved_with_what_it_has(connection):
    older_table(connection, "user_id varchar(255), name text, company_name text, created_at timestamptz")
    connection.execute(
        "INSERT INTO user_profiles VALUES ('user_1', 'Ann', 'Ann & Co', '2025-06-01 12:00:00+05:45'),"
        " ('user_2', NULL, NULL, NULL)"
    )
    told = adopt(connection)
    assert told.results == {"moved": 2}
    assert "email" in told.absent_columns
    assert told.unknown_columns == {}
    user = connection.execute("SELECT full_name, business_name, created_at, updated_at FROM users ORDER BY user_id")
    assert user.fetchone() == ("Ann", "Ann & Co", datetime(2025, 6, 1, 6, 15), datetime(2025, 6, 1, 6, 15))  # noqa: DTZ001
    plan, step = connection.execute("SELECT current_plan, trial_status FROM user_subscriptions").fetchone()
    assert (plan, step) == ("free", "pending")


def test_values_that_are_texts_are_read_and_unreadable_ones_are_named(connection):
    types = {"usage_campaigns_current": "text", "trial_end_date": "text", "is_admin": "text", "plan_features": "text"}
    older_table(connection, "user_id text, " + ", ".join(f"{name} {kind}" for name, kind in types.items()))
    connection.execute(
        "INSERT INTO user_profiles VALUES"
        " ('good', '12', '2025-03-01T10:00:00-08:00', 'yes', '{\"a\": 1.50, \"b\": [1e2]}'),"
        " ('count', 'a dozen', NULL, NULL, NULL), ('half', '1.5', NULL, NULL, NULL),"
        " ('date', NULL, '31/12/2025', NULL, NULL), ('flag', NULL, NULL, 'perhaps', NULL),"
        " ('json', NULL, NULL, NULL, '{\"a\":'), ('nul', NULL, NULL, NULL, '{\"a\": \"\\u0000\"}'),"
        " ('huge', '3000000000', NULL, NULL, NULL)"
    )
    told = adopt(connection)
    assert told.results == {"moved": 1, "skipped": 7}
    assert reason(told, "count") == "usage_campaigns_current: 'a dozen' is no whole number of 32 bits"
    assert reason(told, "date") == "trial_end_date: '31/12/2025' is no time that can be read"
    assert told.reasons == {"usage_campaigns_current": 3, "plan_features": 2, "trial_end_date": 1, "is_admin": 1}
    row = connection.execute(
        "SELECT g.usage_campaigns_current, s.trial_end_date, u.is_admin, g.plan_features::text FROM users u"
        " JOIN user_usage g ON g.user_id = u.id JOIN user_subscriptions s ON s.user_id = u.id"
    ).fetchone()
    assert row == (12, datetime(2025, 3, 1, 18), True, '{"a": 1.50, "b": [100]}')  # noqa: DTZ001


def test_the_sessions_zone_and_date_style_change_nothing(rows, database_url):
    fill(rows, 1, 3)
    rows.execute(
        "ALTER TABLE user_profiles ALTER trial_start_date TYPE timestamptz USING trial_start_date AT TIME ZONE 'UTC'"
    )
    with connect(database_url) as odd:
        odd.execute("SET TIME ZONE 'Asia/Kathmandu'")
        odd.execute("SET DateStyle TO 'SQL, DMY'")
        adopt(odd)
    found = rows.execute(
        "SELECT count(*) FROM user_profiles p JOIN users u USING (user_id)"
        " JOIN user_subscriptions s ON s.user_id = u.id"
        " WHERE s.trial_start_date = p.trial_start_date AT TIME ZONE 'UTC' AND s.trial_end_date = p.trial_end_date"
    ).fetchone()[0]
    assert found == 3


def test_columns_that_are_not_known_are_counted_and_stay_in_the_backup(connection):
    older_table(connection, COLUMNS + ", clerk_customer_id text, note text")
    fill(connection, 1, 3)
    connection.execute("UPDATE user_profiles SET clerk_customer_id = 'c' WHERE user_id <> 'user_000001'")
    told = adopt(connection)
    assert told.unknown_columns == {"clerk_customer_id": 2, "note": 0}
    kept = connection.execute(f"SELECT count(clerk_customer_id) FROM worker.{BACKUP}".encode()).fetchone()[0]
    assert kept == 2


def test_no_older_table_is_no_layout_and_one_without_clerk_ids_is_refused(connection):
    assert layout_of(connection) is None
    older_table(connection, "id uuid, clerk text")
    with pytest.raises(Unusable, match="no column user_id, but id, clerk"):
        layout_of(connection)


DROPS = """
CREATE FUNCTION forgets() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF NEW.plan_creators_limit = 4711 THEN NEW.usage_reset_date = '2020-01-01'; END IF; RETURN NEW; END $$;
CREATE TRIGGER forgets BEFORE INSERT ON user_usage FOR EACH ROW EXECUTE FUNCTION forgets();
"""


def test_a_batch_that_is_not_stored_as_it_should_be_is_taken_back_and_the_rest_continues_later(rows):
    fill(rows, 1, 10)
    rows.execute("UPDATE user_profiles SET plan_creators_limit = 4711 WHERE user_id = 'user_000006'")
    rows.execute(DROPS)
    with pytest.raises(Mismatch, match="user_usage of user_000006: usage_reset_date differ"):
        adopt(rows)
    assert counts(rows) == dict.fromkeys(TABLES, 4)
    looked = look(rows)
    assert (looked.backup, looked.continued, looked.results) == (BACKUP, True, {"kept": 4, "moved": 6})
    rows.execute("DROP TRIGGER forgets ON user_usage")
    told = adopt(rows)
    assert (told.continued, told.results) == (True, {"moved": 10})
    assert lost(rows) == []


def test_any_field_that_a_statement_leaves_out_is_found(rows, monkeypatch):
    fill(rows, 100, 100)
    rows.execute("ALTER TABLE user_profiles ADD enrichments_current_month integer DEFAULT 5")
    whole = five_tables.insert
    left_out: tuple[str, str]

    def leaves_out(connection, into, kinds, values):
        kept = {name: kind for name, kind in kinds.items() if (into, name) != left_out}
        return whole(connection, into, kept, values)

    monkeypatch.setattr(five_tables, "insert", leaves_out)
    for table, own in fields.FIELDS.items():
        for name in own:
            left_out = (table, name)
            with pytest.raises(Mismatch, match=f"{table} of user_000100: {name} differ"):
                adopt(rows)
    assert counts(rows) == dict.fromkeys(TABLES, 0)


def test_the_whole_is_compared_again_at_the_end(rows, monkeypatch):
    fill(rows, 1, 9)
    # Given somebody who changes rows behind the run, with and without saying so
    whole = outcomes.put_results
    done = []

    def changes(connection, name, results):
        whole(connection, name, results)
        done.extend(results)
        if len(done) == 9:
            connection.execute("UPDATE user_billing SET card_brand = 'other' WHERE stripe_customer_id = 'cus_2'")
            connection.execute("UPDATE users SET industry = 'x', updated_at = now() WHERE user_id = 'user_000001'")

    monkeypatch.setattr(outcomes, "put_results", changes)
    told = adopt(rows)
    # Then the silent change is a difference, the other is not, and the run is not finished
    assert not told.good
    assert told.differences == ["user_billing of user_000002: card_brand differ"]
    assert told.changed_since == 1
    assert backups.unfinished_backup(rows) == BACKUP
    rows.execute("UPDATE user_billing SET card_brand = 'visa' WHERE stripe_customer_id = 'cus_2'")
    assert adopt(rows).good
    assert backups.unfinished_backup(rows) is None


def test_large_rows_are_read_a_few_at_a_time(rows):
    fill(rows, 1, 60)
    rows.execute("UPDATE user_profiles SET brand_description = repeat('word ', 36000)")
    layout = layout_of(rows)
    backups.make_backup(rows, "large", layout.columns)
    batch = backups.read_backup(rows, "large", layout.known, 0, 200_000, 500, 4_000_000)
    assert 10 < len(batch) < 30
    assert adopt(rows, batch=500).results == {"moved": 60}
    assert lost(rows) == []
