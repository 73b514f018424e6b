"""A store that is away is tried again; one that refuses fails the job with its word and no secret."""

import threading

import pytest

from tests.integration.handlers.stores.jobs import completed, large, stored
from tests.jobs import attempts, background_job
from tests.store_server import Call, Gateway


class TestAStoreThatIsAway:
    async def test_is_tried_again_until_it_is_back(self, engine, connection, store, configure, bucket):
        # Given a store of which only the address is known
        gateway = Gateway(store)
        with gateway.opened():
            pass
        configure(
            AWS_ACCESS_KEY_ID=store.writer.key_id,
            AWS_SECRET_ACCESS_KEY=store.writer.secret,
            AWS_ENDPOINT_URL=gateway.url,
        )
        job_id = stored(connection)
        export_id = engine.put_in("export_creators", {"jobId": job_id, "to": f"s3://{bucket}"})
        await engine.work_off("export_creators")
        assert attempts(connection, export_id) == [("retry", "s3_away")]
        assert background_job(connection, export_id)["status"] == "pending"
        # When it is there
        with gateway.opened():
            engine.make_due()
            await engine.work_off("export_creators")
        assert attempts(connection, export_id) == [("retry", "s3_away"), ("completed", "done")]
        assert list(store.objects(bucket)) == [f"creators-{job_id}.csv"]

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("at", "fault"),
        [
            ("create", "cut"),
            ("create", (503, "<Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>")),
            ("part 2", (500, "<Error><Code>InternalError</Code><Message>Try again</Message></Error>")),
            ("part 2", (502, "<html>Bad gateway</html>")),
            ("part 3", "cut"),
            ("part 3", (429, "")),
            ("complete", (200, "<Error><Code>InternalError</Code><Message>Try again</Message></Error>")),
            ("complete", "cut"),
        ],
        ids=str,
    )
    async def test_in_mid_upload_costs_an_attempt_and_leaves_nothing(
        self, engine, connection, store, configured, gateway, bucket, at, fault
    ):
        gateway.fault = lambda call: fault if call.what == at else None
        export_id = engine.put_in(
            "export_creators", {"jobId": large(connection), "format": "jsonl", "to": f"s3://{bucket}"}
        )
        await engine.work_off("export_creators")
        assert attempts(connection, export_id) == [("retry", "s3_away")]
        assert (store.objects(bucket), store.uploads(bucket)) == ({}, [])
        gateway.fault = lambda _: None
        engine.make_due()
        await engine.work_off("export_creators")
        assert background_job(connection, export_id)["status"] == "completed"
        assert (len(store.objects(bucket)), store.uploads(bucket)) == (1, [])

    async def test_for_one_call_only_costs_nothing(self, engine, connection, store, configured, gateway, bucket):
        gateway.fault = lambda call: (503, "") if gateway.seen.count(call.what) == 1 else None
        await completed(engine, jobId=large(connection), format="jsonl", to=f"s3://{bucket}")
        assert gateway.seen == [
            what for call in ("create", "part 1", "part 2", "part 3", "complete") for what in [call] * 2
        ]

    @pytest.mark.parametrize(
        ("then", "ends"),
        [
            (None, [("completed", "done")]),
            ("cut after", [("retry", "s3_away"), ("completed", "done")]),
            ((404, "<Error><Code>NoSuchUpload</Code></Error>"), [("retry", "s3_away"), ("completed", "done")]),
        ],
        ids=["it says so again", "it never does", "it has forgotten"],
    )
    async def test_when_it_should_say_that_all_is_there_costs_an_attempt_at_most(
        self, engine, connection, store, configured, gateway, bucket, tmp_path, capsys, then, ends
    ):
        # Given a store that completes the upload, and whose answer is lost
        gateway.fault = lambda call: (
            None if call.what != "complete" else "cut after" if gateway.seen.count("complete") == 1 else then
        )
        job_id = large(connection)
        export_id = engine.put_in("export_creators", {"jobId": job_id, "format": "jsonl", "to": f"s3://{bucket}"})
        await engine.work_off("export_creators")
        gateway.fault = lambda _: None
        engine.make_due()
        await engine.work_off("export_creators")
        assert attempts(connection, export_id) == ends
        await completed(engine, jobId=job_id, format="jsonl", to=str(tmp_path))
        assert list(store.objects(bucket).values()) == [(tmp_path / f"creators-{job_id}.jsonl").read_bytes()]
        assert store.uploads(bucket) == []
        # There was nothing to abort, and nothing to tell
        assert "upload_not_aborted" not in capsys.readouterr().out

    async def test_because_it_says_nothing_is_left_after_a_while(
        self, engine, connection, store, configured, configure, gateway, bucket
    ):
        configure(TRAWLER_OBJECT_STORE_SECONDS="0.2")
        end = threading.Event()
        gateway.fault = lambda _: (500, "") if end.wait(30) else None
        export_id = engine.put_in("export_creators", {"jobId": stored(connection), "to": f"s3://{bucket}"})
        await engine.work_off("export_creators")
        end.set()
        assert attempts(connection, export_id) == [("retry", "s3_away")]
        assert "imeout" in background_job(connection, export_id)["error"]

    async def test_for_the_abort_too_is_logged(self, engine, connection, store, configured, gateway, bucket, capsys):
        gateway.fault = lambda call: (503, "") if call.what in ("part 2", "abort") else None
        job_id = large(connection)
        export_id = engine.put_in("export_creators", {"jobId": job_id, "format": "jsonl", "to": f"s3://{bucket}"})
        await engine.work_off("export_creators")
        assert attempts(connection, export_id) == [("retry", "s3_away")]
        assert store.uploads(bucket) == [f"creators-{job_id}.jsonl"]
        assert "upload_not_aborted" in capsys.readouterr().out


class TestAStoreThatRefuses:
    @pytest.mark.parametrize("size", [stored, large])
    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ("secret", ("HTTP 403", "SignatureDoesNotMatch", "AWS_ACCESS_KEY_ID")),
            ("key", ("HTTP 403", "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID")),
            ("rights", ("HTTP 403", "AccessDenied", "rights")),
            ("bucket", ("HTTP 404", "NoSuchBucket", "make it")),
        ],
    )
    async def test_fails_the_job_with_its_word_and_no_secret(
        self, engine, connection, store, configured, configure, bucket, capfd, wrong, words, size
    ):
        secret = "hidden/" + "x" * 33
        if wrong == "secret":
            configure(AWS_SECRET_ACCESS_KEY=secret)
        elif wrong == "key":
            configure(AWS_ACCESS_KEY_ID="AKIAUNKNOWN000000000", AWS_SECRET_ACCESS_KEY=secret)
        elif wrong == "rights":
            configure(AWS_ACCESS_KEY_ID=store.reader.key_id, AWS_SECRET_ACCESS_KEY=store.reader.secret)
        to = "s3://nobody-has-this/x" if wrong == "bucket" else f"s3://{bucket}/x"
        row = await engine.run("export_creators", {"jobId": size(connection), "format": "jsonl", "to": to})
        assert row["status"] == "failed"
        for word in (to, *words, "set the job to pending"):
            assert word in row["error"]
        told = row["error"] + str(connection.execute("SELECT array_agg(a::text) FROM worker.attempts a").fetchone())
        told += "".join(capfd.readouterr())
        access = engine.runtime.settings.store_access
        assert access.secret not in told
        assert access.key_id not in told
        assert store.objects(bucket) == {}

    async def test_and_repeats_what_it_was_sent_gives_no_secret_away(
        self, engine, connection, configured, configure, gateway, bucket
    ):
        configure(AWS_SESSION_TOKEN="token-of-some-hours")

        def repeat(call: Call) -> tuple[int, str]:
            sent = " ".join(call.headers[name] for name in ("Authorization", "X-Amz-Security-Token"))
            return 403, f"<Error><Code>AccessDenied</Code><Message>no: {sent}</Message></Error>"

        gateway.fault = repeat
        row = await engine.run("export_creators", {"jobId": stored(connection), "to": f"s3://{bucket}"})
        assert row["status"] == "failed"
        assert "AccessDenied no:" in row["error"]
        access = engine.runtime.settings.store_access
        for secret in (access.key_id, access.secret, access.token):
            assert secret not in row["error"]

    @pytest.mark.parametrize("at", ["put", "part 2", "complete"])
    async def test_by_not_being_a_store_is_no_success(self, engine, connection, store, configured, gateway, bucket, at):
        # Given a server that says yes to everything
        gateway.fault = lambda call: (200, "") if call.what == at else None
        job_id = stored(connection) if at == "put" else large(connection)
        row = await engine.run("export_creators", {"jobId": job_id, "format": "jsonl", "to": f"s3://{bucket}"})
        assert (row["status"], row["result"]) == ("failed", None)
        assert "mend AWS_ENDPOINT_URL" in row["error"]
        assert (store.objects(bucket), store.uploads(bucket)) == ({}, [])

    @pytest.mark.parametrize(
        "answer",
        [
            (301, "<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>"),
            (307, "<Error><Code>TemporaryRedirect</Code><Message>elsewhere</Message></Error>"),
            (400, "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>"),
        ],
        ids=lambda answer: answer[0],
    )
    async def test_because_it_is_elsewhere_is_not_followed(
        self, engine, connection, configured, gateway, bucket, connections, answer
    ):
        gateway.fault = lambda _: answer
        connections.clear()
        row = await engine.run("export_creators", {"jobId": stored(connection), "to": f"s3://{bucket}"})
        assert row["status"] == "failed"
        assert "mend AWS_REGION or AWS_ENDPOINT_URL" in row["error"]
        assert connections == [("127.0.0.1", gateway.port)]
