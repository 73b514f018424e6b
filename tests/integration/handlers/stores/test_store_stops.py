"""An export that is stopped, breaks off, or loses its worker leaves the object whole or as it was."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from platforms.simulator.running import running_simulator
from tests.fleet import Fleet, eventually
from tests.integration.handlers.stores.jobs import completed, large, stored
from tests.jobs import attempts, background_is_final, insert_background_job
from tests.store_server import Call, Gateway, Store


class TestAnExportThatIsStoppedInMidUpload:
    @pytest.mark.parametrize(
        ("stop", "ending"),
        [
            (lambda lease: setattr(lease, "cancelled", "wrong job"), [("error", "cancelled")]),
            (lambda lease: lease.refuse(), []),
            (lambda lease: lease.abandon(), []),
        ],
        ids=["cancelled", "lease lost", "abandoned"],
    )
    @pytest.mark.parametrize("at", ["create", "part 2", "part 3"])
    async def test_leaves_neither_object_nor_upload(
        self, engine, connection, store, configured, gateway, bucket, stop, ending, at
    ):
        # Given an upload of which one call is under way
        came, go_on = threading.Event(), threading.Event()

        def hold(call: Call) -> None:
            if call.what == at:
                came.set()
                go_on.wait(30)

        gateway.fault = hold
        job_id = large(connection)
        export_id = engine.put_in("export_creators", {"jobId": job_id, "format": "jsonl", "to": f"s3://{bucket}"})
        (lease,) = await engine.lease("export_creators")
        work = asyncio.ensure_future(engine.work([lease]))
        assert await asyncio.to_thread(came.wait, 30)
        # When it is stopped just then
        stop(lease)
        for _ in range(10):
            # The loop hands an end on in some turns.
            await asyncio.sleep(0)
        go_on.set()
        await work
        # Then no further part went, and what was there is taken back
        assert gateway.seen[-2:] == [at, "abort"]
        assert (store.objects(bucket), store.uploads(bucket)) == ({}, [])
        assert attempts(connection, export_id) == ending

    async def test_before_its_only_call_makes_none(self, engine, connection, store, configured, gateway, bucket):
        export_id = engine.put_in("export_creators", {"jobId": stored(connection, 0), "to": f"s3://{bucket}"})
        (lease,) = await engine.lease("export_creators")
        lease.refuse()
        await engine.work([lease])
        assert attempts(connection, export_id) == []
        assert (gateway.calls, store.objects(bucket)) == ([], {})


@pytest.mark.slow
class TestAWorkerInMidUpload:
    @pytest.fixture
    def fleet(
        self, database_url: str, redis_url: str, store: Store, gateway: Gateway, tmp_path: Path
    ) -> Iterator[Fleet]:
        settings = {
            "AWS_ACCESS_KEY_ID": store.writer.key_id,
            "AWS_SECRET_ACCESS_KEY": store.writer.secret,
            "AWS_ENDPOINT_URL": gateway.url,
        }
        with (
            running_simulator() as simulator,
            Fleet(database_url, redis_url, simulator.url, tmp_path, **settings) as fleet,
        ):
            fleet.reconciler()
            yield fleet

    @pytest.fixture
    def first_part(self, gateway: Gateway) -> Iterator[tuple[threading.Event, threading.Event]]:
        """Set when the first part has come, and to let it go on; others are not held up."""
        came, go_on = threading.Event(), threading.Event()

        def hold(call: Call) -> None:
            if call.what == "part 1" and not came.is_set():
                came.set()
                go_on.wait(60)

        gateway.fault = hold
        yield came, go_on
        go_on.set()

    def test_that_sleeps_past_its_lease_takes_its_upload_back_and_another_s_object_stays(
        self, connection, store, gateway, bucket, fleet, first_part
    ):
        came, go_on = first_part
        zombie = fleet.worker()
        export_id = insert_background_job(
            connection,
            "export_creators",
            {"jobId": large(connection), "format": "jsonl", "to": f"s3://{bucket}"},
        )
        eventually(came.is_set)
        zombie.send_signal(signal.SIGSTOP)
        fleet.worker()
        eventually(lambda: background_is_final(connection, export_id))
        assert attempts(connection, export_id) == [("crashed", "lease_expired"), ("completed", "done")]
        before = store.objects(bucket)
        # When the first wakes up, and its part is answered
        zombie.send_signal(signal.SIGCONT)
        go_on.set()
        eventually(lambda: "abort" in gateway.seen)
        # Then it put nothing more, and the object is the other's
        assert (gateway.seen.count("part 1"), gateway.seen.count("part 2"), gateway.seen.count("complete")) == (2, 1, 1)
        assert store.objects(bucket) == before
        assert (len(before), store.uploads(bucket)) == (1, [])

    def test_that_is_killed_leaves_parts_that_nobody_sees_and_another_puts_the_object(
        self, connection, store, bucket, fleet, first_part
    ):
        came, go_on = first_part
        worker = fleet.worker()
        job_id = large(connection)
        export_id = insert_background_job(
            connection, "export_creators", {"jobId": job_id, "format": "jsonl", "to": f"s3://{bucket}"}
        )
        eventually(came.is_set)
        fleet.kill(worker)
        go_on.set()
        assert store.objects(bucket) == {}
        fleet.worker()
        eventually(lambda: background_is_final(connection, export_id))
        assert attempts(connection, export_id) == [("crashed", "lease_expired"), ("completed", "done")]
        # Nobody can clear up after a process that is killed: docs/exports.md says what does
        assert list(store.objects(bucket)) == store.uploads(bucket) == [f"creators-{job_id}.jsonl"]
        assert store.writer.secret not in fleet.log()


class TestAnExportThatBreaksOff:
    async def test_leaves_the_old_object_as_it_was(self, engine, connection, store, configured, gateway, bucket):
        job_id = stored(connection)
        await completed(engine, jobId=job_id, to=f"s3://{bucket}")
        before = store.objects(bucket)
        # Given a row that nobody can read
        connection.execute("INSERT INTO scraping_results (job_id, creators) VALUES (%s, '5')", (job_id,))
        row = await engine.run("export_creators", {"jobId": job_id, "to": f"s3://{bucket}"}, max_retries=0)
        assert row["status"] == "failed"
        assert store.objects(bucket) == before
        assert gateway.seen == ["put"]
