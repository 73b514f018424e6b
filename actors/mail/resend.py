"""Sends mails through Resend's HTTP API.

What it promises and answers, by its documents of 2026 ("Idempotency Keys", "Errors", "Rate Limit"): a key is known for
24 hours, and a request with a known key gives the first answer and sends nothing; 409 tells a key that is in use just
now, or whose mail was another; 429 comes with Retry-After.
"""

import asyncio
from datetime import timedelta
from typing import Final

import httpx
import msgspec

from actors.mail.contract import Again, Mail, MaybeSent, NotSent, address
from platforms.outcome import retry_after
from worker.clock import utc_now
from worker.redaction import redact

KEY_KNOWN: Final = timedelta(hours=23)
"""An hour less than promised, so that a request on its way does not arrive after the end."""
RATE_WAIT: Final = timedelta(seconds=30)
MEND_WAIT: Final = timedelta(minutes=10)
SHOWN: Final = 300
"""Characters of an answer that are repeated in an error."""


class _Answer(msgspec.Struct):
    id: str


class _Refusal(msgspec.Struct):
    name: str = ""
    message: str = ""


class ResendTransport:
    """Sends each mail by one call with its idempotency key; the API key never appears in an error."""

    name = "resend"
    remembers: timedelta | None = KEY_KNOWN

    def __init__(self, base_url: str, api_key: str, total_seconds: float) -> None:
        self._url = f"{base_url}/emails"
        self._api_key = api_key
        self._total_seconds = total_seconds
        self._tls = httpx.create_ssl_context(trust_env=False)

    async def send(self, mail: Mail) -> str:
        """Hand the mail over; give Resend's id of it. Raises `NotSent` and `MaybeSent`."""
        try:
            async with asyncio.timeout(self._total_seconds):
                answer = await self._post(mail)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            what = type(error).__name__
            raise NotSent("mail_unreachable", f"POST {self._url}: no connection ({what})", Again.LATER) from None
        except (httpx.HTTPError, TimeoutError) as error:
            # From None: the library's error carries the request with its key.
            what = type(error).__name__
            raise MaybeSent("mail_no_answer", f"POST {self._url}: no complete answer ({what})") from None
        return self._judge(answer, mail)

    async def _post(self, mail: Mail) -> httpx.Response:
        # A client for each mail: they are few, and a client belongs to the loop that made it.
        async with httpx.AsyncClient(verify=self._tls, trust_env=False, timeout=self._total_seconds) as client:
            return await client.post(
                self._url,
                headers={"authorization": f"Bearer {self._api_key}", "idempotency-key": mail.key},
                json={
                    "from": str(address(mail.sender_address, mail.sender_name)),
                    "to": [mail.recipient],
                    "subject": mail.subject,
                    "html": mail.html,
                    "text": mail.text,
                    "headers": {"Auto-Submitted": "auto-generated"},
                },
            )

    def _judge(self, answer: httpx.Response, mail: Mail) -> str:
        status = answer.status_code
        if answer.is_success:
            try:
                return msgspec.json.decode(answer.content, type=_Answer).id
            except msgspec.DecodeError:
                # It was taken, whatever the answer looks like.
                return mail.message_id
        refusal = self._refusal(answer)
        said = f"Resend answered HTTP {status}: {refusal.name} {refusal.message}".rstrip()
        if status == httpx.codes.CONFLICT and refusal.name == "invalid_idempotent_request":
            # The key's mail was handed over before, with another text: a user's name or a template changed since.
            return mail.message_id
        if status >= httpx.codes.INTERNAL_SERVER_ERROR or status in (httpx.codes.CONFLICT, httpx.codes.REQUEST_TIMEOUT):
            raise MaybeSent("mail_no_answer", said)
        if status == httpx.codes.TOO_MANY_REQUESTS:
            wait = retry_after(answer.headers, utc_now()) or RATE_WAIT
            raise NotSent("rate_limit", said, Again.ONCE_MENDED, wait)
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            told = f"{said}; expected a key that may send from {mail.sender_address}; mend RESEND_API_KEY or MAIL_FROM"
            raise NotSent("mail_credentials", told, Again.ONCE_MENDED, MEND_WAIT)
        if status in (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED) or answer.is_redirect:
            told = f"{said}; expected Resend's API below RESEND_BASE_URL; mend it"
            raise NotSent("mail_settings", told, Again.ONCE_MENDED, MEND_WAIT)
        raise NotSent("mail_refused", f"{said}; correct what it names, then set the job to pending", Again.NEVER)

    def _refusal(self, answer: httpx.Response) -> _Refusal:
        """What the answer says, without the key, should it repeat it."""
        try:
            told = msgspec.json.decode(answer.content, type=_Refusal)
        except msgspec.DecodeError:
            told = _Refusal(message=answer.text)
        return _Refusal(self._safe(told.name), self._safe(told.message))

    def _safe(self, text: str) -> str:
        return redact(" ".join(text.replace(self._api_key, "[cut]").split())[:SHOWN])
