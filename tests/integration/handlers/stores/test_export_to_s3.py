"""``export_creators`` and ``cleanup_jobs`` to an S3-compatible store: the object is what a folder gets."""

import json
import re
import tracemalloc

import pytest

from actors.handlers.object_store import PART_BYTES, put_whole
from tests.integration.handlers.stores.jobs import completed, large, stored
from tests.jobs import attempts

FORMATS = ("csv", "jsonl", "parquet")


class TestAnExport:
    @pytest.mark.parametrize("kind", FORMATS)
    async def test_is_byte_for_byte_what_a_folder_gets(
        self, engine, connection, store, configured, gateway, bucket, tmp_path, kind
    ):
        job_id = stored(connection)
        here = await completed(engine, jobId=job_id, format=kind, to=str(tmp_path))
        there = await completed(engine, jobId=job_id, format=kind, to=f"s3://{bucket}/exports")
        name = f"creators-{job_id}.{kind}"
        assert there == {**here, "path": f"s3://{bucket}/exports/{name}"}
        assert store.objects(bucket) == {f"exports/{name}": (tmp_path / name).read_bytes()}
        assert gateway.seen == ["put"]

    async def test_of_many_bytes_goes_in_parts(self, engine, connection, store, configured, gateway, bucket, tmp_path):
        job_id = large(connection)
        await completed(engine, jobId=job_id, format="jsonl", to=str(tmp_path))
        result = await completed(engine, jobId=job_id, format="jsonl", to=f"s3://{bucket}")
        whole = (tmp_path / f"creators-{job_id}.jsonl").read_bytes()
        assert result["bytes"] == len(whole)
        assert store.objects(bucket) == {f"creators-{job_id}.jsonl": whole}
        assert gateway.seen == ["create", "part 1", "part 2", "part 3", "complete"]
        assert [call.length for call in gateway.calls[1:4]] == [PART_BYTES, PART_BYTES, len(whole) - 2 * PART_BYTES]
        assert store.uploads(bucket) == []
        # Each part is signed with its checksum, and nothing is asked that only some stores know
        for call in gateway.calls[1:4]:
            assert re.fullmatch("[0-9a-f]{64}", call.headers["X-Amz-Content-SHA256"])
            assert not [name for name in call.headers if re.search("(?i)checksum|trailer|content-encoding", name)]

    async def test_done_twice_is_the_same_object(self, engine, connection, store, configured, bucket):
        job_id = stored(connection)
        await completed(engine, jobId=job_id, to=f"s3://{bucket}/a")
        before = store.objects(bucket)
        await completed(engine, jobId=job_id, to=f"s3://{bucket}/a/")
        assert store.objects(bucket) == before

    @pytest.mark.parametrize(
        "prefix", ["", "/", "a/b", "two words", "für Ü 日本", "100%25 & more?x=1#y+z", "..a/b..", "a'b\"c\\d", "~/*"]
    )
    async def test_has_its_prefix_as_it_was_given(self, engine, connection, store, configured, bucket, prefix):
        job_id = stored(connection)
        result = await completed(engine, jobId=job_id, to=f"s3://{bucket}/{prefix}")
        (key,) = store.objects(bucket)
        assert key == f"{prefix.strip('/')}/creators-{job_id}.csv".removeprefix("/")
        assert result["path"] == f"s3://{bucket}/{key}"

    def test_takes_the_memory_of_a_few_parts(self, store, gateway, engine, configured, bucket, tmp_path):
        path = tmp_path / "large"
        with path.open("wb+") as file:
            file.truncate(12 * PART_BYTES)
            tracemalloc.start()
            put_whole(engine.runtime.settings.store_access, bucket, "large", file, lambda: True)
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        # The gateway and this test's own library hold a part each, besides.
        assert most < 6 * PART_BYTES
        assert store.admin.head_object(Bucket=bucket, Key="large")["ContentLength"] == 12 * PART_BYTES


class TestADestination:
    @pytest.mark.parametrize(
        ("to", "words"),
        [
            ("s3://", ("bucket is ''",)),
            ("s3:///x", ("bucket is ''", "s3://bucket/prefix")),
            ("s3://ab/x", ("bucket is 'ab'", "3 to 63")),
            ("s3://Exports/x", ("bucket is 'Exports'",)),
            ("s3://user:word@bucket/x", ("bucket is",)),
            ("s3://bucket:9000/x", ("bucket is 'bucket:9000'",)),
            ("s3://a..b/x", ("bucket is 'a..b'",)),
            ("s3://bucket?x/y", ("bucket is 'bucket?x'",)),
            ("s3://bucket/../x", ("'..'",)),
            ("s3://bucket/a/..", ("'..'",)),
            ("s3://bucket/a/./b", ("'.'",)),
            ("s3://bucket/a//b", ("nothing between slashes",)),
            ("s3://bucket/a\nb", ("cannot be seen",)),
            (f"s3://bucket/{'ü' * 500}", ("longer than 960 bytes",)),
            ("S3://bucket/x", ("absolute path",)),
            ("https://bucket.example/x", ("absolute path",)),
        ],
    )
    async def test_that_cannot_be_is_told_without_a_call(self, engine, connection, configured, gateway, to, words):
        row = await engine.run("export_creators", {"jobId": stored(connection), "to": to})
        assert row["status"] == "failed"
        for word in (*words, "correct it in the payload"):
            assert word in row["error"]
        assert gateway.calls == []


class TestACleanUp:
    async def test_puts_what_it_deletes_there_first(self, engine, connection, store, configured, bucket):
        job_id = stored(connection)
        connection.execute("UPDATE scraping_jobs SET completed_at = worker.utc_now() - interval '40 days'")
        row = await engine.run("cleanup_jobs", {"exportTo": f"s3://{bucket}/old"})
        assert (row["status"], row["result"]["scrapingJobs"]) == ("completed", 1)
        ((key, content),) = store.objects(bucket).items()
        assert key == f"old/{job_id}.jsonl"
        first, *creators = (json.loads(line) for line in content.splitlines())
        assert first["job"]["id"] == job_id
        assert [one["creator"]["id"] for one in creators] == ["c0", "c1", "c2"]

    async def test_deletes_nothing_while_the_store_is_away(
        self, engine, connection, store, configured, gateway, bucket
    ):
        job_id = stored(connection)
        connection.execute("UPDATE scraping_jobs SET completed_at = worker.utc_now() - interval '40 days'")
        gateway.fault = lambda _: (503, "")
        cleaning = engine.put_in("cleanup_jobs", {"exportTo": f"s3://{bucket}"})
        await engine.work_off("cleanup_jobs")
        assert attempts(connection, cleaning) == [("retry", "s3_away")]
        assert connection.execute("SELECT id::text FROM scraping_jobs").fetchall() == [(job_id,)]
