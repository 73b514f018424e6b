"""Stored creators: page by page, and in a stream that holds neither memory nor the database longer than it must."""

import json
import socket

import psutil
import pytest

from console.api import line_stream
from tests.api.serving import ALL, READ
from tests.fleet import eventually
from tests.jobs import insert_background_job, insert_job
from tests.searches import ask, insert_search

STREAMS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'trawler api stream'"


def stored(rows, batches, of_batch=30, job_id=None, size=0):
    """A job with so many batches of creators, numbered from 0; give its id."""
    job_id = job_id or insert_job(rows)
    rows.execute(
        """
        INSERT INTO scraping_results (job_id, creators, created_at)
        SELECT %(job)s, (SELECT jsonb_agg(jsonb_build_object('n', b * %(each)s + n, 'bio', repeat('x', %(size)s))
                                          ORDER BY n)
                           FROM generate_series(0, %(each)s - 1) AS n),
               '2031-01-01'::timestamp + b / 3 * interval '1 second'
          FROM generate_series(0, %(batches)s - 1) AS b
        """,
        {"job": job_id, "batches": batches, "each": of_batch, "size": size},
    )
    return job_id


def pages(client, job_id, limit):
    found, cursor = [], None
    while True:
        answer = client.get(
            f"/api/v1/jobs/{job_id}/results", params={"limit": limit, **({"cursor": cursor} if cursor else {})}
        )
        assert answer.status_code == 200, answer.text
        found.append([one["n"] for one in answer.json()["creators"]])
        if (cursor := answer.json()["next_cursor"]) is None:
            return found


def test_pages_hold_each_creator_once_though_batches_are_of_one_moment(client, rows):
    job_id = stored(rows, 20)
    found = pages(client, job_id, 4)
    assert [len(page) for page in found] == [120] * 5
    assert sorted(n for page in found for n in page) == list(range(600))
    # The stream has them in the same order
    lines = client.get(f"/api/v1/jobs/{job_id}/results.ndjson")
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["n"] for line in lines.text.splitlines()] == [n for page in found for n in page]


def test_what_is_stored_between_two_pages_comes_behind_them(client, rows):
    job_id = stored(rows, 3)
    first = client.get(f"/api/v1/jobs/{job_id}/results", params={"limit": 2}).json()
    rows.execute(
        "INSERT INTO scraping_results (job_id, creators, created_at) VALUES (%s, '[{\"n\": 900}]', '2031-01-02')",
        (job_id,),
    )
    second = client.get(f"/api/v1/jobs/{job_id}/results", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert len(second["creators"]) == 31
    assert second["creators"][-1] == {"n": 900}
    assert second["next_cursor"] is None


def test_a_job_without_creators_has_an_empty_page_and_an_empty_stream(client, rows):
    job_id = insert_job(rows)
    assert client.get(f"/api/v1/jobs/{job_id}/results").json() == {
        "job_id": job_id,
        "creators": [],
        "next_cursor": None,
    }
    answer = client.get(f"/api/v1/jobs/{job_id}/results.ndjson")
    assert (answer.status_code, answer.content) == (200, b"")


def test_batches_of_older_shapes_and_lines_with_line_ends_in_texts_are_one_line_each(client, rows):
    job_id = insert_job(rows)
    for creators in ('{"old": "shape"}', '[{"bio": "a\\nb\\u2028c\\u0085d"}, {"n": 1.50}]'):
        rows.execute("INSERT INTO scraping_results (job_id, creators) VALUES (%s, %s)", (job_id, creators))
    lines = client.get(f"/api/v1/jobs/{job_id}/results.ndjson").content.split(b"\n")
    assert [json.loads(line) for line in lines[:-1]] == [{"old": "shape"}, {"bio": "a\nb\u2028c\u0085d"}, {"n": 1.5}]
    assert lines[-1] == b""
    assert client.get(f"/api/v1/jobs/{job_id}/results").json()["creators"][0] == {"old": "shape"}


def test_a_search_gives_the_documents_of_its_rows(client, rows):
    ask(rows, "found-1", keywords=["lamp"])
    key = insert_search(rows, "found-1")
    rows.execute(
        "INSERT INTO search_results (job_id, profile_id, username, platform, raw_data, created_at)"
        " SELECT 'found-1', n::text, 'u', 'TikTok', jsonb_build_object('n', n), '2031-01-01'"
        "   FROM generate_series(0, 119) AS n"
    )
    found = pages(client, key, 1)
    assert [len(page) for page in found] == [50, 50, 20]
    assert sorted(n for page in found for n in page) == list(range(120))
    assert len(client.get(f"/api/v1/jobs/{key}/results.ndjson").text.splitlines()) == 120


def test_a_background_job_has_no_creators(client, rows):
    job_id = insert_background_job(rows, "noop")
    for path in ("results", "results.ndjson"):
        answer = client.get(f"/api/v1/jobs/{job_id}/{path}")
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:trawler:problem:no_creators")


def leave_in_mid_stream(api, job_id, kilobytes=64):
    """A socket that has read the beginning of a stream and reads no further."""
    host, port = api.url.removeprefix("http://").split(":")
    raw = socket.create_connection((host, int(port)))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    raw.sendall(
        f"GET /api/v1/jobs/{job_id}/results.ndjson HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {READ}\r\n\r\n".encode()
    )
    assert raw.recv(kilobytes * 1024).startswith(b"HTTP/1.1 200")
    return raw


@pytest.fixture(scope="module")
def large(rows):
    """A job whose stream no socket's buffers can hold: 60 MB."""
    return stored(rows, 600, of_batch=50, size=2000)


def test_a_reader_that_leaves_ends_the_query_and_frees_its_place(api, rows, large):
    for _ in range(6):
        raw = leave_in_mid_stream(api, large)
        assert rows.execute(STREAMS).fetchone() == (1,)
        raw.close()
        assert eventually(lambda: rows.execute(STREAMS).fetchone() == (0,))


def test_a_reader_that_stands_still_is_left(api, rows, large, monkeypatch):
    monkeypatch.setattr(line_stream, "STILL_SECONDS", 0.3)
    with leave_in_mid_stream(api, large) as raw:
        assert eventually(lambda: rows.execute(STREAMS).fetchone() == (0,))
        # And its stream has no end, which a client takes for an error
        received = b""
        while some := raw.recv(1 << 20):
            received += some
        assert not received.endswith(b"0\r\n\r\n")


def test_so_many_streams_run_at_once_and_the_next_is_told_to_come_again(api, client, rows, large):
    readers = [leave_in_mid_stream(api, large) for _ in range(4)]
    try:
        answer = client.get(f"/api/v1/jobs/{large}/results.ndjson")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        # Everything else goes on: streams hold none of the pool's connections
        assert client.get("/api/v1/scraping-jobs?limit=1").status_code == 200
    finally:
        for reader in readers:
            reader.close()
    assert eventually(lambda: rows.execute(STREAMS).fetchone() == (0,))
    with client.stream("GET", f"/api/v1/jobs/{large}/results.ndjson") as answer:
        assert answer.status_code == 200


def test_a_query_that_breaks_breaks_the_stream_off(api, rows, large):
    with leave_in_mid_stream(api, large) as raw:
        rows.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'trawler api stream'"
        )
        received = b""
        while some := raw.recv(1 << 20):
            received += some
        assert not received.endswith(b"0\r\n\r\n")
        assert len(received) < 60_000_000
    assert eventually(lambda: rows.execute(STREAMS).fetchone() == (0,))


@pytest.mark.slow
def test_a_hundred_thousand_creators_stream_in_the_memory_of_a_few(api, rows):
    # Given 200 MB of creators
    job_id = stored(rows, 2000, of_batch=50, size=2000)
    client = api.with_token(ALL)
    before = psutil.Process().memory_info().rss
    highest = lines = 0
    # When they are streamed, in this very process
    with client.stream("GET", f"/api/v1/jobs/{job_id}/results.ndjson") as answer:
        for chunk in answer.iter_bytes(1 << 20):
            lines += chunk.count(b"\n")
            highest = max(highest, psutil.Process().memory_info().rss)
    # Then all came, and no more than a few batches were ever in memory
    assert lines == 100_000
    assert highest - before < 60 << 20
