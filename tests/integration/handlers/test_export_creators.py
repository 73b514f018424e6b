"""``export_creators``: every creator of a job or campaign in one file, whole or not at all."""

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet
import pytest

from actors.handlers.contract import JobContext
from actors.handlers.flattening import FIRST
from db.queries.sweeping import sweep_dead_leases
from tests.integration.handlers.conftest import Engine
from tests.jobs import attempts, insert_job

NOBODY = "0b8e4f9e-6f0c-4a57-b0e4-56f0d0a4c001"


def creator(name: str, /, **further: Any) -> dict[str, Any]:
    return {
        "creator": {"id": name, "name": f"Name of {name}", "followers": 12, "emails": ["a@x.example", "b@x.example"]},
        "platform": "TikTok",
        "hashtags": ["#desk", "#lamp"],
        **further,
    }


def stored(connection: psycopg.Connection, *batches: list[Any], **columns: Any) -> str:
    """A completed job with these batches; give its id."""
    job_id = insert_job(connection, status="completed", **columns)
    for batch in batches:
        connection.execute(
            "INSERT INTO scraping_results (job_id, creators, created_at) VALUES (%s, %s, clock_timestamp())",
            (job_id, json.dumps(batch)),
        )
    return job_id


async def export(engine: Engine, folder: Path, **payload: Any) -> dict[str, Any]:
    row = await engine.run("export_creators", {"to": str(folder), **payload})
    assert row["status"] == "completed", row["error"]
    assert row["result"]["bytes"] == len(content(row["result"]["path"]))
    return row["result"]


def content(path: str) -> bytes:
    return Path(path).read_bytes()


def table(folder: Path, job_id: str) -> list[dict[str, str]]:
    with (folder / f"creators-{job_id}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


class TestAFileOfLines:
    async def test_holds_every_creator_as_it_is_stored_in_order(self, engine, connection, tmp_path):
        given = [creator(f"c{n}", bio="two\nlines, 日本 🌊", nested={"a": [1, {"b": None}]}) for n in range(50)]
        job_id = stored(connection, *(given[start : start + 2] for start in range(0, 50, 2)))
        result = await export(engine, tmp_path, jobId=job_id, format="jsonl")
        assert (result["creators"], result["format"]) == (50, "jsonl")
        lines = (tmp_path / f"creators-{job_id}.jsonl").read_text(encoding="utf-8").splitlines()
        assert [json.loads(line) for line in lines] == given

    async def test_of_a_campaign_holds_those_of_its_jobs_oldest_first(self, engine, connection, tmp_path):
        (campaign,) = connection.execute(
            "INSERT INTO campaigns (user_id, name, search_type) VALUES ('user_1', 'Lamps', 'keyword')"
            " RETURNING id::text"
        ).fetchone()
        stored(connection, [creator("elsewhere")])
        second = stored(connection, [creator("c"), creator("d")], campaign_id=campaign)
        stored(connection, [creator("a"), creator("b")], campaign_id=campaign, created_at="2020-01-01")
        assert second
        await export(engine, tmp_path, campaignId=campaign, format="jsonl")
        lines = (tmp_path / f"creators-{campaign}.jsonl").read_bytes().splitlines()
        assert [json.loads(line)["creator"]["id"] for line in lines] == ["a", "b", "c", "d"]


class TestATable:
    async def test_has_a_column_for_every_key_that_occurs(self, engine, connection, tmp_path):
        job_id = stored(
            connection,
            [creator("a", zeal={"deep": {"er": 1}})],
            [creator("b", links=[{"url": "https://x.example"}], private=True, empty=None)],
        )
        await export(engine, tmp_path, jobId=job_id)
        first, second = table(tmp_path, job_id)
        # The known columns come first, in one order for every table, and the others by name
        assert list(first) == [*FIRST, "empty", "links", "private", "zeal.deep.er"]
        assert (first["creator.id"], first["creator.followers"], first["zeal.deep.er"]) == ("a", "12", "1")
        assert (first["creator.emails"], first["hashtags"]) == ("a@x.example; b@x.example", "#desk; #lamp")
        assert (second["private"], second["empty"], second["zeal.deep.er"]) == ("true", "", "")
        assert json.loads(second["links"]) == [{"url": "https://x.example"}]

    async def test_holds_any_text_as_it_is(self, engine, connection, tmp_path):
        bios = ['quotes " and, commas', "lines\r\nof\nmany", "日本 🌊 עברית", "  spaces ", ""]
        job_id = stored(connection, [creator(f"c{n}", bio=bio) for n, bio in enumerate(bios)])
        await export(engine, tmp_path, jobId=job_id)
        assert [row["bio"] for row in table(tmp_path, job_id)] == bios

    @pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
    async def test_gives_a_spreadsheet_nothing_to_run(self, engine, connection, tmp_path, begin):
        formula = f'{begin}HYPERLINK("http://x.example","prize")'
        job_id = stored(connection, [creator("a", bio=formula, tags=[formula, "b"], count=-5, **{formula: "x"})])
        await export(engine, tmp_path, jobId=job_id)
        (row,) = table(tmp_path, job_id)
        assert (row["bio"], row["tags"]) == (f"'{formula}", f"'{formula}; b")
        # Neither has a column's name; a number stays a number
        assert row[f"'{formula}"] == "x"
        assert row["count"] == "-5"

    async def test_of_old_rows_is_read_too(self, engine, connection, tmp_path):
        job_id = stored(connection, [creator("a")], ["odd", 5])
        connection.execute(
            "INSERT INTO scraping_results (job_id, creators, created_at) VALUES (%s, %s, clock_timestamp())",
            (job_id, json.dumps(creator("single"))),
        )
        assert (await export(engine, tmp_path, jobId=job_id))["creators"] == 4
        rows = table(tmp_path, job_id)
        assert [row["creator.id"] for row in rows] == ["a", "", "", "single"]
        assert [row["value"] for row in rows] == ["", "odd", "5", ""]

    async def test_of_a_job_that_found_nobody_has_its_header(self, engine, connection, tmp_path):
        job_id = stored(connection)
        assert (await export(engine, tmp_path, jobId=job_id))["creators"] == 0
        assert (tmp_path / f"creators-{job_id}.csv").read_bytes() == ",".join(FIRST).encode() + b"\r\n"


class TestParquet:
    async def test_without_its_package_says_what_to_do(self, engine, connection, tmp_path, monkeypatch):
        # Given an interpreter that finds no such module
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        row = await engine.run(
            "export_creators", {"to": str(tmp_path), "jobId": stored(connection), "format": "parquet"}
        )
        assert row["status"] == "failed"
        for words in ("pyarrow is not installed", "install it", "extra 'parquet'", "'csv'"):
            assert words in row["error"]
        assert list(tmp_path.iterdir()) == []

    async def test_holds_the_same_rows_with_their_types(self, engine, connection, tmp_path):
        job_id = stored(connection, [creator("a", rate=1, odd=1, ok=True)], [creator("b", rate=0.5, odd="x", ok=None)])
        result = await export(engine, tmp_path, jobId=job_id, format="parquet")
        read = pyarrow.parquet.read_table(result["path"])
        kinds = {field.name: str(field.type) for field in read.schema}
        assert (kinds["rate"], kinds["odd"], kinds["ok"]) == ("double", "string", "bool")
        assert (kinds["creator.followers"], kinds["creator.bio"]) == ("int64", "string")
        assert read.column("rate").to_pylist() == [1.0, 0.5]
        assert (read.column("odd").to_pylist(), read.column("ok").to_pylist()) == (["1", "x"], [True, None])
        assert read.column("creator.id").to_pylist() == ["a", "b"]


class TestTwice:
    async def test_is_the_same_file(self, engine, connection, tmp_path):
        job_id = stored(connection, [creator("a"), creator("b")])
        path = (await export(engine, tmp_path, jobId=job_id))["path"]
        before = content(path)
        await export(engine, tmp_path, jobId=job_id)
        assert content(path) == before
        assert [str(each) for each in tmp_path.iterdir()] == [path]

    async def test_is_what_happens_when_a_worker_dies_after_the_file_and_before_the_end(
        self, engine, connection, tmp_path
    ):
        # Given a worker that has written the file, and is gone before it can say so
        job_id = stored(connection, [creator("a")])
        handler = engine.handlers["export_creators"]

        async def dies(context: JobContext, payload: Any) -> Any:
            result = await handler.run(context, payload)
            context.lease.refuse()
            return result

        engine.handlers["export_creators"] = replace(handler, run=dies)
        export_id = engine.put_in("export_creators", {"to": str(tmp_path), "jobId": job_id})
        await engine.work_off("export_creators")
        assert len(list(tmp_path.iterdir())) == 1
        assert attempts(connection, export_id) == []
        # When its lease has run out, the sweep has come, and another worker runs the job
        engine.handlers["export_creators"] = handler
        connection.execute("UPDATE worker.tasks SET expires_at = clock_timestamp() - interval '1 minute'")
        assert sweep_dead_leases(connection, 3, 100)
        engine.make_due()
        await engine.work_off("export_creators")
        # Then the job is completed, and there is one whole file
        assert attempts(connection, export_id)[-1] == ("completed", "done")
        assert [row["creator.id"] for row in table(tmp_path, job_id)] == ["a"]
        assert len(list(tmp_path.iterdir())) == 1


class TestAnExportThatIsCancelled:
    async def test_leaves_nothing(self, engine, connection, tmp_path):
        export_id = engine.put_in(
            "export_creators", {"to": str(tmp_path), "jobId": stored(connection, *[[creator("a")]] * 50)}
        )
        (lease,) = await engine.lease("export_creators")
        # Given that it is cancelled when it has begun
        handler = engine.handlers["export_creators"]

        async def cancelled(context: JobContext, payload: Any) -> Any:
            context.lease.cancelled = "wrong job"
            return await handler.run(context, payload)

        engine.handlers["export_creators"] = replace(handler, run=cancelled)
        await engine.work([lease])
        assert attempts(connection, export_id) == [("error", "cancelled")]
        assert list(tmp_path.iterdir()) == []


class TestAnExportWhoseLeaseIsLost:
    async def test_at_its_end_leaves_nothing(self, engine, connection, tmp_path):
        # With nobody to export there is no look before the end
        export_id = engine.put_in("export_creators", {"to": str(tmp_path), "jobId": stored(connection)})
        (lease,) = await engine.lease("export_creators")
        lease.refuse()
        await engine.work([lease])
        assert attempts(connection, export_id) == []
        assert list(tmp_path.iterdir()) == []


class TestAnExportThatCannotBe:
    async def test_leaves_no_half_file_and_the_old_one_as_it_was(self, engine, connection, tmp_path):
        # Given an earlier file, and a row that nobody can read
        job_id = stored(connection, [creator("a")])
        path = (await export(engine, tmp_path, jobId=job_id))["path"]
        before = content(path)
        connection.execute("INSERT INTO scraping_results (job_id, creators) VALUES (%s, '5')", (job_id,))
        row = await engine.run("export_creators", {"to": str(tmp_path), "jobId": job_id}, max_retries=0)
        assert row["status"] == "failed"
        assert content(path) == before
        assert [str(each) for each in tmp_path.iterdir()] == [path]

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({}, ("neither or both", "jobId")),
            ({"jobId": NOBODY, "campaignId": NOBODY}, ("neither or both",)),
            ({"jobId": NOBODY}, ("jobId", NOBODY, "does not exist")),
            ({"campaignId": NOBODY}, ("campaignId", NOBODY)),
            ({"jobId": NOBODY, "to": "exports"}, ("to is 'exports'", "absolute")),
            ({"jobId": NOBODY, "format": "xlsx"}, ("$.format", "xlsx")),
            ({"jobId": "lamp"}, ("$.jobId",)),
        ],
        ids=lambda value: str(value)[:40],
    )
    async def test_fails_at_once_and_says_why(self, engine, tmp_path, change, words):
        row = await engine.run("export_creators", {"to": str(tmp_path), **change})
        assert row["status"] == "failed"
        for word in words:
            assert word in row["error"]
        assert list(tmp_path.iterdir()) == []
