"""Without its settings or its package no store is asked, and no other tool's settings are heard."""

import re
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from actors.handlers.object_store import _client, client_of
from tests.integration.handlers.stores.jobs import completed, stored
from tests.jobs import attempts, background_job
from tests.store_server import Gateway
from worker.store_settings import StoreAccess


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
