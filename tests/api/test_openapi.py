"""The OpenAPI document: a stranger can use it, and what the API does is what it says."""

import re

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig

from console.api.application import make_document
from console.api.params_schema import PROPERTIES
from platforms.params import KNOWN_PARAMS
from tests.api.serving import ALL
from tests.jobs import insert_background_job, insert_job

JUDGED_FURTHER = ["2xx", "401", "403", "404", "409", "415", "422"]
"""What the engine's own code judges (whether a provider has such a search, whether a handler reads the payload, whether
a cursor is one of ours) no schema can say: there 422 is a right answer to what fits the schema. 415 is one to a body
that is declared as something else than JSON."""
CONFIG = {
    "generation": {"max-examples": 8, "deterministic": True, "database": "none"},
    "checks": {"positive_data_acceptance": {"expected-statuses": JUDGED_FURTHER}},
}


SCOPES = {"Enqueue": "enqueue", "Look": "read", "Results": "read", "Control": "control"}
DOCUMENT = make_document()
JOBS: list[str] = []
schema = schemathesis.openapi.from_dict(DOCUMENT, config=SchemathesisConfig.from_dict(CONFIG))


@schema.hook
def map_path_parameters(_, parameters):
    """Half of the ids that are tried name jobs, which have ended, so that nobody listens to one for ever."""
    job_id = str((parameters or {}).get("job_id", ""))
    if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", job_id) and job_id[-1] < "8":
        return {**parameters, "job_id": JOBS[int(job_id[-1]) % 2]}
    return parameters


@pytest.fixture(scope="module")
def jobs(rows):
    JOBS[:] = [insert_job(rows, status="completed"), insert_background_job(rows, "noop", status="failed")]
    rows.execute("INSERT INTO scraping_results (job_id, creators) VALUES (%s, '[{\"n\": 1}]')", (JOBS[0],))


@schema.parametrize()
@settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_what_the_api_does_is_what_its_document_says(case, api, jobs):
    case.call_and_validate(base_url=f"{api.url}/api/v1", headers={"Authorization": f"Bearer {ALL}"})


def test_every_operation_has_an_example_or_needs_none_and_says_every_error(api):
    assert api.with_token(None).get("/api/v1/openapi.json").json() == DOCUMENT
    assert DOCUMENT["servers"] == [{"url": "/api/v1"}]
    assert DOCUMENT["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert operation["description"], where
            assert operation["security"] == [{"bearer": [SCOPES[operation["tags"][0]]]}], where
            errors = {status for status in operation["responses"] if status >= "400"}
            assert errors >= {"400", "401", "403", "404", "422", "500", "503"}, where
            for status in errors:
                content = operation["responses"][status]["content"]
                assert list(content) == ["application/problem+json"], where
                assert content["application/problem+json"]["example"]["status"] == int(status), where
            if body := operation.get("requestBody"):
                assert "{" not in path or operation["operationId"] in ("cancel_job", "retry_job"), where
                assert list(body["content"]) == ["application/json"], where
                assert errors >= {"413", "415"}, where


def test_the_examples_of_the_document_are_taken(client):
    schemas = DOCUMENT["components"]["schemas"]
    for name, path in (("ScrapingJob", "scraping-jobs"), ("BackgroundJob", "background-jobs")):
        for example in schemas[name]["examples"]:
            assert client.post(f"/api/v1/{path}", json=example).status_code == 201


def test_search_params_are_described_as_the_engine_reads_them():
    assert set(PROPERTIES) == KNOWN_PARAMS
