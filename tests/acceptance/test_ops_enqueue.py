"""Putting searches in from a terminal: every platform, words and targets, options; and what is refused there."""

import json

import pytest

from platforms.params import KNOWN_PARAMS
from platforms.simulator.people import creator
from platforms.simulator.running import running_simulator
from platforms.simulator.truth import related_numbers
from tests.fleet import Fleet, eventually
from tests.jobs import assert_counters_are_true, is_final, job, stored_creators

SEED = 1
TARGET = next(one for one in (creator(SEED, number) for number in range(99)) if len(related_numbers(SEED, one)) == 21)


@pytest.fixture(scope="module")
def ops(module_database_url, module_redis_url, tmp_path_factory):
    """Runs the ops command against a database where nothing runs yet."""
    with Fleet(module_database_url, module_redis_url, "http://127.0.0.1:9", tmp_path_factory.mktemp("ops")) as fleet:
        yield lambda *arguments: fleet.ops("enqueue", *arguments, "--user", "user_1")


def row_of(rows, done) -> dict:
    assert done.returncode == 0, done.stderr
    return job(rows, done.stdout.strip())


@pytest.mark.slow
def test_a_similar_search_that_is_put_in_completes(database_url, redis_url, connection, tmp_path):
    with (
        running_simulator("--seed", str(SEED)) as simulator,
        Fleet(database_url, redis_url, simulator.url, tmp_path) as fleet,
    ):
        fleet.reconciler()
        fleet.worker()
        # When
        done = fleet.ops("enqueue", "--like", f"@{TARGET.handle}", "--platform", "instagram", "--user", "user_1")
        # Then
        name = row_of(connection, done)["id"]
        eventually(lambda: is_final(connection, str(name)))
        row = job(connection, str(name))
        assert (row["status"], row["error"], len(stored_creators(connection, str(name)))) == ("completed", None, 21)
        assert_counters_are_true(connection, str(name))


def test_words_hashtags_and_platform_go_into_the_row(ops, rows):
    row = row_of(rows, ops("desk lamp", "#studio", "--platform", "YouTube", "--target", "7", "--region", "GB"))
    assert (row["platform"], row["keywords"], row["target_username"]) == ("YouTube", ["desk lamp", "#studio"], None)
    assert (row["target_results"], row["region"], row["search_params"]) == (7, "GB", None)


@pytest.mark.parametrize("option", ["--target-username", "--like"])
def test_a_target_goes_into_the_row_without_words(ops, rows, option):
    row = row_of(rows, ops(option, "@heron.tv"))
    assert (row["target_username"], row["keywords"], row["platform"]) == ("@heron.tv", None, "TikTok")


def test_params_are_json_where_they_can_be_and_lists_where_given_twice(ops, rows):
    given = ("min_followers=1000", "verified=true", "bio_contains=tea & cake", "countries=US", "countries=GB")
    named = ("provider=scrapecreators", "provider=tiktok_research", "provider=scrapecreators")
    done = ops("lamp", *(part for one in (*given, *named) for part in ("--param", one)))
    assert done.stderr == ""
    assert row_of(rows, done)["search_params"] == {
        "min_followers": 1000,
        "verified": True,
        "bio_contains": "tea & cake",
        "countries": ["US", "GB"],
        "provider": ["scrapecreators", "tiktok_research", "scrapecreators"],
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lamp", "--platform", "myspace"), 'platform is "myspace"; expected one of TikTok, Instagram, YouTube'),
        (("lamp", "--param", "min_followers=many"), "expected a whole number of at least 0"),
        (("lamp", "--param", "min_followers"), "expected key=value"),
        (("lamp", "--param", "provider=apify"), "TikTok keyword search by apify is not supported"),
        (("lamp", "--param", "kind=profiles"), "keyword or hashtag for a TikTok search"),
        (("lamp", "--target", "0"), "target_results is 0"),
        (("lamp", "--like", "@heron.tv"), "leave one out"),
        (("--like", "two words"), "expected one username"),
        ((), "give words to search for"),
    ],
)
def test_what_a_worker_would_refuse_is_not_put_in(ops, rows, arguments, said):
    before = rows.execute("SELECT count(*) FROM scraping_jobs").fetchone()
    done = ops(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "pending again" not in done.stderr
    assert rows.execute("SELECT count(*) FROM scraping_jobs").fetchone() == before


def test_a_param_that_nobody_reads_is_put_in_with_a_warning(ops, rows):
    done = ops("lamp", "--param", "folowers=9")
    assert "folowers: not known and ignored" in done.stderr
    assert row_of(rows, done)["search_params"] == {"folowers": 9}


def test_the_help_names_every_param(ops):
    told = " ".join(ops("--help").stdout.split())
    assert [name for name in KNOWN_PARAMS if name not in told] == []
    assert json.dumps("desk lamp") in told
