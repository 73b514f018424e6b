"""Commands that say why: explain, doctor."""

from dataclasses import asdict
from typing import Annotated

import typer

from scripts.doctor import report
from scripts.doctor.examination import diagnose, exit_code
from scripts.ops.explanation import show_explanation
from scripts.ops.frame import NOT_FOUND, AsJson, database, fail, job_ids, redis_client
from scripts.tables import show_json
from worker.explaining import explanation
from worker.settings import load_settings


def explain(job: Annotated[str, typer.Argument(help="The job's id, of any table.")], as_json: AsJson = False) -> None:
    """Say why a job is not running now, and all that happened to it. Example: ./run ops explain 3f0c... ."""
    (job_id,) = job_ids([job])
    with database() as connection:
        told = explanation.explain(connection, redis_client(), job_id)
    if told is None:
        fail(f"there is no job {job_id}", NOT_FOUND)
    if as_json:
        show_json(told.to_json())
    else:
        show_explanation(told)


def doctor(as_json: AsJson = False) -> None:
    """Find what is wrong with the deployment; exit code 1 when anything is. Example: ./run ops doctor."""
    # An old or missing schema is a finding, so nothing is asked of it here.
    with database(any_schema=True) as connection:
        findings = diagnose(connection, redis_client(), load_settings())
    if as_json:
        show_json([asdict(finding) for finding in findings])
    else:
        report.show(findings)
    raise typer.Exit(exit_code(findings))
