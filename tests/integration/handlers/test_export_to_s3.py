"""``export_creators`` to an S3-compatible store: the object is there wholly or not at all, and nothing beside it."""

import asyncio
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from actors.handlers.object_store import PART_BYTES, _client, client_of, put_whole
from platforms.simulator.running import running_simulator
from tests.fleet import Fleet, eventually
from tests.integration.handlers.conftest import Engine
from tests.jobs import attempts, background_is_final, background_job, insert_background_job, insert_job
from tests.store_server import Call, Gateway, Store, store_server
from worker.settings import load_settings
from worker.store_settings import StoreAccess

FORMATS = ("csv", "jsonl", "parquet")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with store_server(tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture
def bucket(store: Store) -> str:
    return store.bucket(f"exports-{uuid4().hex[:12]}")


@pytest.fixture
def gateway(store: Store) -> Iterator[Gateway]:
    gateway = Gateway(store)
    with gateway.opened():
        yield gateway


@pytest.fixture(autouse=True)
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Addresses to which Python wants to connect from now on; it gets to those of this machine alone."""
    wanted: list[Any] = []
    connect = socket.socket.connect

    def noted(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            wanted.append(address)
            if address[0] != "127.0.0.1":
                raise OSError(f"{address} is not on this machine")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    return wanted


@pytest.fixture
def configure(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets environment variables, and gives the engine the settings they make."""

    def set_(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        engine.runtime.settings = load_settings()

    return set_


@pytest.fixture
def configured(configure: Callable[..., None], store: Store, gateway: Gateway) -> None:
    configure(
        AWS_ACCESS_KEY_ID=store.writer.key_id,
        AWS_SECRET_ACCESS_KEY=store.writer.secret,
        AWS_ENDPOINT_URL=gateway.url,
    )


def stored(connection: psycopg.Connection, count: int = 3, bio: str = "lamps, 日本 🌊\n") -> str:
    """A completed job with creators; give its id."""
    job_id = insert_job(connection, status="completed")
    for number in range(count):
        creators = [{"creator": {"id": f"c{number}", "bio": bio, "followers": number}, "platform": "TikTok"}]
        connection.execute(
            "INSERT INTO scraping_results (job_id, creators, created_at) VALUES (%s, %s, clock_timestamp())",
            (job_id, json.dumps(creators)),
        )
    return job_id


def large(connection: psycopg.Connection) -> str:
    """A job whose file of lines has three parts."""
    return stored(connection, 20, "x" * (1 << 20))


async def completed(engine: Engine, **payload: Any) -> dict[str, Any]:
    row = await engine.run("export_creators", payload)
    assert row["status"] == "completed", row["error"]
    return row["result"]


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


@pytest.fixture
def certificate(tmp_path: Path) -> None:
    """``cert.pem`` and ``key.pem`` of this machine, which no authority vouches for."""
    wanted = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout key.pem -out cert.pem"
    subprocess.run(
        ["openssl", *wanted.split(), "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],  # noqa: S607
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )


def asked_for(client: Any) -> str:
    """The address to which the client would put ``a/b`` of the bucket ``bucket``; nothing is sent."""

    def stop(request: Any, **_: Any) -> None:
        raise RuntimeError(request.url)

    client.meta.events.register("before-send.s3", stop)
    with pytest.raises(RuntimeError) as told:
        client.put_object(Bucket="bucket", Key="a/b", Body=b"")
    return str(told.value)


@pytest.fixture
def other_tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment and files that lead those tools elsewhere."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default\nregion = us-west-2\n")
    (tmp_path / "config").write_text("[default]\nuse_fips_endpoint = true\ns3 =\n  addressing_style = virtual\n")
    for name, value in {
        "HOME": str(tmp_path),
        "AWS_PROFILE": "nobody",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_DEFAULT_REGION": "us-west-2",
        "AWS_DEFAULTS_MODE": "auto",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/credentials",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "REQUESTS_CA_BUNDLE": str(tmp_path / "nothing"),
        "http_proxy": "http://127.0.0.1:1",
        "no_proxy": "",
    }.items():
        monkeypatch.setenv(name, value)
    # What an earlier test made must not serve.
    _client.cache_clear()


class TestWithoutSettings:
    @pytest.mark.parametrize(
        ("variables", "words"),
        [
            ({}, ("AWS_ACCESS_KEY_ID is not set", "AWS_SECRET_ACCESS_KEY is not set")),
            ({"AWS_ACCESS_KEY_ID": "AKIA1"}, ("AWS_SECRET_ACCESS_KEY is not set",)),
            ({"AWS_SECRET_ACCESS_KEY": "hidden"}, ("AWS_ACCESS_KEY_ID is not set",)),
            ({"AWS_ENDPOINT_URL": "ftp://x.example"}, ("AWS_ENDPOINT_URL is 'ftp://x.example'", "expected https")),
            ({"AWS_ENDPOINT_URL": "http://x.example"}, ("unencrypted", "TRAWLER_OBJECT_STORE_HTTP")),
            ({"AWS_ENDPOINT_URL": "https://me:hidden@x.example"}, ("AWS_ENDPOINT_URL holds a user",)),
            ({"AWS_ENDPOINT_URL": "https://[x"}, ("AWS_ENDPOINT_URL cannot be read",)),
            ({"AWS_CA_BUNDLE": "/nowhere/ca.pem"}, ("AWS_CA_BUNDLE is '/nowhere/ca.pem'",)),
            ({"AWS_REGION": "x.example/"}, ("AWS_REGION is 'x.example/'",)),
            ({"AWS_SECRET_ACCESS_KEY": "hidden\nx"}, ("AWS_SECRET_ACCESS_KEY holds a blank, a line end",)),
        ],
        ids=str,
    )
    async def test_says_what_to_set_and_calls_nobody(
        self, engine, connection, configure, connections, variables, words
    ):
        configure(**variables)
        row = await engine.run("export_creators", {"jobId": stored(connection), "to": "s3://bucket/x"})
        assert row["status"] == "failed"
        for word in ("to is 's3://bucket/x'", *words, "restart the workers"):
            assert word in row["error"]
        assert "hidden" not in row["error"]
        assert connections == []

    async def test_of_a_name_that_the_library_refuses_says_so(self, engine, connection, configure, connections):
        configure(AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="hidden", AWS_ENDPOINT_URL="https://a_b:9000")
        row = await engine.run("export_creators", {"jobId": stored(connection), "to": "s3://bucket/x"})
        assert row["status"] == "failed"
        assert "correct AWS_ENDPOINT_URL" in row["error"]
        assert connections == []

    async def test_of_this_kind_what_other_tools_are_told_changes_nothing(
        self, engine, connection, store, configured, other_tools, connections, gateway, bucket
    ):
        await completed(engine, jobId=stored(connection), to=f"s3://{bucket}/x")
        assert len(store.objects(bucket)) == 1
        # The test itself makes a bucket and looks into it
        assert set(connections) == {("127.0.0.1", gateway.port), ("127.0.0.1", store.port)}

    def test_of_an_address_goes_to_the_store_of_aws_alone(self, other_tools):
        client = client_of(StoreAccess("AKIA1", "secret", "", "eu-central-1", "", "", 30))
        assert asked_for(client) == "https://bucket.s3.eu-central-1.amazonaws.com/a/b"

    def test_but_an_address_has_the_bucket_in_the_path(self):
        client = client_of(StoreAccess("AKIA1", "secret", "", "auto", "https://store.example", "", 30))
        assert asked_for(client) == "https://store.example/bucket/a/b"

    async def test_of_its_authority_a_store_is_not_trusted(
        self, engine, connection, store, configured, configure, bucket, tmp_path, certificate
    ):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
        gateway = Gateway(store, tls=context)
        with gateway.opened():
            configure(AWS_ENDPOINT_URL=gateway.url)
            export_id = engine.put_in("export_creators", {"jobId": stored(connection), "to": f"s3://{bucket}"})
            await engine.work_off("export_creators")
            assert attempts(connection, export_id) == [("retry", "s3_away")]
            assert "CERTIFICATE_VERIFY_FAILED" in background_job(connection, export_id)["error"]
            assert gateway.calls == []
            # When its certificate is known
            configure(AWS_CA_BUNDLE=str(tmp_path / "cert.pem"))
            engine.make_due()
            await engine.work_off("export_creators")
        assert background_job(connection, export_id)["status"] == "completed"
        assert re.fullmatch("[0-9a-f]{64}", gateway.calls[0].headers["X-Amz-Content-SHA256"])
        assert len(store.objects(bucket)) == 1

    async def test_or_its_package_says_what_to_install(
        self, engine, connection, configured, gateway, bucket, monkeypatch
    ):
        monkeypatch.setitem(sys.modules, "botocore.session", None)
        row = await engine.run("export_creators", {"jobId": stored(connection), "to": f"s3://{bucket}"})
        assert row["status"] == "failed"
        for words in ("botocore is not installed", "extra 's3'", "name a folder"):
            assert words in row["error"]
        assert gateway.calls == []


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
