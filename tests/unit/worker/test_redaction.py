"""What logs never show."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.redaction import redact

SECRET = "s3cr3t-Value_1"


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://trawler:{}@db.example.org:5432/app?sslmode=require",
        "redis://default:{}@cache.example.org:6379/0",
        "redis://:{}@cache.example.org:6379/0",
        "x-api-key: {}",
        "X-API-KEY={}",
        "Authorization: Bearer {}",
        "authorization: Basic {}",
        "{{'Authorization': 'Bearer {}'}}",
        '{{"api_key": "{}", "page": 2}}',
        "{{'x-api-key': '{}'}}",
        "https://api.example.org/v1/search?access_token={}&query=lamp",
        "host=db password={} user=trawler",
    ],
)
def test_secrets_are_cut_wherever_they_stand(text):
    assert SECRET not in redact(text.format(SECRET))


def test_what_stands_around_a_secret_stays():
    assert redact("https://h/p?api_key=abc&query=lamp") == "https://h/p?api_key=[cut]&query=lamp"
    assert redact("postgresql://me:abc@db/app") == "postgresql://me:[cut]@db/app"


@pytest.mark.parametrize("text", ["https://api.example.org:443/v1", "10:30 a@b.example", "the keyword was lamp", ""])
def test_text_without_secrets_is_left_as_it_is(text):
    assert redact(text) == text


@given(st.text())
def test_any_text_can_be_cut_and_cutting_twice_changes_nothing(text):
    assert redact(redact(text)) == redact(text)


TEXTS = st.one_of(
    st.text(),
    st.sampled_from(
        [
            "token: a\\b",
            'say "token: abc" twice',
            "password=\\",
            "password=",
            "'token': '",
            "https://user:pw@host/x",
            "://a:b",
            "x@y",
            '{"token": "abc", "n": 1}',
        ]
    ),
)
DOCUMENTS = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.none(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["token", "api_key", "password", "password=", "text"]), inner)
    ),
)


@given(DOCUMENTS, st.booleans())
def test_json_stays_json(document, ascii_only):
    json.loads(redact(json.dumps(document, ensure_ascii=ascii_only)))


def test_a_secret_in_json_within_json_is_cut_and_the_rest_stays():
    inner = json.dumps({"access_token": SECRET, "n": [1], "token": {"kind": 7}})
    found = json.loads(json.loads(redact(json.dumps(json.dumps({"inner": inner})))))
    assert SECRET not in json.dumps(found)
    assert "[cut]" in found["inner"]
