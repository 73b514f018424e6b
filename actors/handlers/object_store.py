"""Files in an S3-compatible store, there wholly or not at all.

An object appears when its upload is completed, never before ("Uploading and copying objects using multipart upload",
AWS 2026). An upload that is not completed holds parts that nobody sees and somebody pays, so every end but the good one
aborts it; parts go one after the other, because an abort does not reach one that is still on its way.

Needs the package botocore, which Trawler does not bring along. It is told everything and looks nothing up: neither
credentials (which may come from an address of the network), nor files and variables of other tools.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from itertools import count
from typing import Any, BinaryIO, Final

import structlog

from actors.handlers.files_aside import NotWanted
from worker.errors import FailJob, JobSignal, RetryJob
from worker.redaction import redact
from worker.store_settings import StoreAccess

log = structlog.get_logger()

PART_BYTES: Final = 8 << 20
"""Of one part, which is all that is in memory; smaller files go in one call."""
MOST_PARTS: Final = 10_000
"""Of one upload ("Amazon S3 multipart upload limits", AWS 2026)."""
CONNECT_SECONDS: Final = 5
ATTEMPTS: Final = 3
"""Calls until one counts as failed, with a pause of seconds at most; jobs have longer ones."""
SHOWN: Final = 300
"""Characters of the store's word that are repeated in an error."""

# A part or an upload that the store does not know any more was ended by somebody else, or by a reply that was lost.
_MAY_CLEAR: Final = {408, 409, 425, 429}
_CODES_THAT_MAY_CLEAR: Final = {"NoSuchUpload", "InvalidPart", "RequestTimeout", "SlowDown", "Throttling"}


def load_botocore() -> tuple[Any, Any, Any]:
    """The modules ``botocore.session``, ``.config`` and ``.exceptions``. Raises `FailJob` where they are missing."""
    try:
        names = ("botocore.session", "botocore.config", "botocore.exceptions")
        session, config, exceptions = (import_module(name) for name in names)
    except ImportError:
        raise FailJob(
            "s3_missing",
            "a file is to go to s3://, and the package botocore is not installed; expected it beside the worker; "
            "install it (it is Trawler's extra 's3') and restart the workers, or name a folder",
        ) from None
    return session, config, exceptions


@lru_cache(maxsize=4)
def _client(access: StoreAccess) -> Any:
    session, config, _ = load_botocore()
    # Of each, the name in a file and the name in the environment are left out.
    variables = {name: (None, None, *rest) for name, (_, _, *rest) in session.Session.SESSION_VARIABLES.items()}
    for name in ("config_file", "credentials_file"):
        variables[name] = (None, None, os.devnull, None)
    client = session.Session(session_vars=variables).create_client(
        "s3",
        region_name=access.region,
        endpoint_url=access.endpoint or None,
        verify=access.ca_bundle or True,
        aws_access_key_id=access.key_id,
        aws_secret_access_key=access.secret,
        aws_session_token=access.token or None,
        config=config.Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=access.seconds,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            proxies={},
            ignore_configured_endpoint_urls=True,
            # The other modes may ask the machine's own network for its region.
            defaults_mode="legacy",
            # The signature holds a checksum of what is sent; further ones are unknown to some stores.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"} if access.endpoint else {},
        ),
    )
    client.meta.events.register_last("before-parameter-build.s3", _stay_here)
    return client


def _stay_here(context: dict[str, Any], **_: Any) -> None:
    """Let the library follow no answer that says the bucket is elsewhere; it would ask there, without an end."""
    context.setdefault("s3_redirect", {})["redirected"] = True


def client_of(access: StoreAccess) -> Any:
    """A client that several threads may use. Raises `FailJob` where the library does not take the settings."""
    try:
        return _client(access)
    except ValueError as error:
        raise FailJob(
            "s3_not_configured",
            f"the store's settings cannot be used: {_words(access, error)}; correct AWS_ENDPOINT_URL",
        ) from None


def put_whole(access: StoreAccess, bucket: str, key: str, file: BinaryIO, wanted: Callable[[], bool]) -> None:
    """Make the file an object of the store, in place of one that is there. Blocks: call it in a thread.

    Raises `NotWanted` as soon as ``wanted`` says so, `RetryJob` when the store is away, and `FailJob` with its word
    when it refuses. Whatever is raised, no upload is left unless the store is away for the abort too; that is logged.
    """
    _, _, exceptions = load_botocore()
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    place = {"Bucket": bucket, "Key": key}
    try:
        client = client_of(access)
        if size <= PART_BYTES:
            _go_on(wanted)
            _tag(client.put_object(**place, Body=file.read()))
        else:
            _put_parts(client, access, place, _parts(file, max(PART_BYTES, -(-size // MOST_PARTS))), wanted)
    except exceptions.ClientError as error:
        raise _judged(error.response, access, f"s3://{bucket}/{key}") from None
    except exceptions.BotoCoreError as error:
        # From None: the library's error may carry the request.
        raise RetryJob("s3_away", f"s3://{bucket}/{key}: no answer of the store ({_words(access, error)})") from None


def _put_parts(
    client: Any, access: StoreAccess, place: Mapping[str, str], parts: Iterator[bytes], wanted: Callable[[], bool]
) -> None:
    _go_on(wanted)
    upload = {**place, "UploadId": client.create_multipart_upload(**place)["UploadId"]}
    try:
        put = []
        for number, part in zip(count(1), parts, strict=False):
            _go_on(wanted)
            put.append({"PartNumber": number, "ETag": _tag(client.upload_part(**upload, PartNumber=number, Body=part))})
        _go_on(wanted)
        _tag(client.complete_multipart_upload(**upload, MultipartUpload={"Parts": put}))
    except BaseException:
        _abort(client, access, upload)
        raise


def _abort(client: Any, access: StoreAccess, upload: Mapping[str, str]) -> None:
    _, _, exceptions = load_botocore()
    try:
        client.abort_multipart_upload(**upload)
    except (exceptions.ClientError, exceptions.BotoCoreError) as error:
        told = _words(access, error)
        # One that the store does not know has been completed or aborted, and the answer was lost.
        if "NoSuchUpload" not in told:
            log.warning("upload_not_aborted", bucket=upload["Bucket"], key=upload["Key"], error=told)


def _tag(answer: Mapping[str, Any]) -> str:
    """The tag by which every store names what it holds now; another server may answer 200 to anything."""
    if not answer.get("ETag"):
        raise FailJob(
            "s3_refused",
            "the answer to what was put is HTTP 200 without an ETag; expected an S3-compatible store; mend "
            "AWS_ENDPOINT_URL, then set the job to pending",
        )
    return str(answer["ETag"])


def _judged(answer: Mapping[str, Any], access: StoreAccess, url: str) -> JobSignal:
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    refusal = answer.get("Error", {})
    code = str(refusal.get("Code", ""))
    said = f"the store answered HTTP {status}: " + _words(access, f"{code} {refusal.get('Message', '')}")
    if status >= 500 or status in _MAY_CLEAR or code in _CODES_THAT_MAY_CLEAR:
        return RetryJob("s3_away", f"{url}: {said}")
    if status in (401, 403):
        what = "expected credentials that may write there; mend AWS_ACCESS_KEY_ID and what belongs to it, or its rights"
    elif status == 404:
        what = "expected a bucket that exists; make it, or correct the payload"
    elif 300 <= status < 400 or code == "AuthorizationHeaderMalformed":
        what = "expected the bucket's own region and address; mend AWS_REGION or AWS_ENDPOINT_URL"
    else:
        what = "correct what it names"
    return FailJob("s3_refused", f"{url}: {said}; {what}; then set the job to pending")


def _go_on(wanted: Callable[[], bool]) -> None:
    if not wanted():
        raise NotWanted


def _parts(file: BinaryIO, size: int) -> Iterator[bytes]:
    while part := file.read(size):
        yield part


def _words(access: StoreAccess, told: object) -> str:
    return redact(" ".join(access.without_secrets(str(told)).split())[:SHOWN])
