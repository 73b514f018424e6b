"""Hands mails to a mail server by SMTP."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import localtime
from typing import Final

import aiosmtplib

from actors.mail.contract import Again, Mail, MaybeSent, NotSent, address
from worker.mail_settings import SmtpServer
from worker.redaction import redact

MEND_WAIT: Final = timedelta(minutes=10)
REFUSALS: Final = range(400, 600)
FAR: Final = 500
"""Reply codes from here on mean that the same again would not help (RFC 5321, 4.2.1)."""
CREDENTIALS: Final = {530, 534, 535, 538}
"""Reply codes that speak of the login and not of the mail (RFC 4954)."""

# Bodies in ASCII, since not every server takes others.
_PLAIN: Final = SMTP.clone(cte_type="7bit")
_INTERNATIONAL: Final = SMTPUTF8.clone(cte_type="7bit")


class SmtpTransport:
    """Hands each mail over on a connection of its own. SMTP knows no keys: a lost reply stays unknown."""

    name = "smtp"
    remembers: timedelta | None = None

    def __init__(self, server: SmtpServer, total_seconds: float) -> None:
        self._server = server
        self._total_seconds = total_seconds
        self._tls = ssl.create_default_context()

    async def send(self, mail: Mail) -> str:
        """Hand the mail over; give its Message-ID. Raises `NotSent` and `MaybeSent`."""
        handed_over = False
        international = not mail.recipient.isascii()
        message = _as_bytes(mail, international=international)
        try:
            async with asyncio.timeout(self._total_seconds), self._connected() as client:
                if international and not client.supports_extension("smtputf8"):
                    told = f"the mail server knows no addresses such as {mail.recipient!r}; expected ASCII ones"
                    raise NotSent("mail_refused", f"{told}; correct the user's e-mail", Again.NEVER)
                encoding, options = ("utf-8", ["SMTPUTF8"]) if international else ("ascii", [])
                await client.mail(mail.sender_address, options=options, encoding=encoding)
                await client.rcpt(mail.recipient, encoding=encoding)
                handed_over = True
                await client.data(message)
                # It is on its way; what the end of the connection does changes nothing.
                return mail.message_id
        except aiosmtplib.SMTPResponseException as error:
            # An error code says that the mail was not taken, also after its last line; anything else says nothing.
            if handed_over and error.code not in REFUSALS:
                raise MaybeSent("mail_no_answer", f"the mail server answered {error.code}, after the mail") from None
            raise self._refused(error) from None
        except (OSError, TimeoutError) as error:
            if handed_over:
                raise MaybeSent("mail_no_answer", f"{self._told(error)}, after the mail was handed over") from None
            raise NotSent("mail_unreachable", self._told(error), Again.LATER) from None
        except ValueError as error:
            told = f"{mail.recipient!r} cannot be written in SMTP: {error}; correct the user's e-mail"
            raise NotSent("mail_refused", told, Again.NEVER) from None
        except aiosmtplib.SMTPException as error:
            told = f"{self._told(error)}; expected STARTTLS and a way to log in; mend SMTP_URL"
            raise NotSent("mail_settings", told, Again.ONCE_MENDED, MEND_WAIT) from None

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[aiosmtplib.SMTP]:
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.tls,
            # Without a must, it is used where the server offers it.
            start_tls=False if server.tls else (server.needs_starttls or None),
            tls_context=self._tls,
            timeout=self._total_seconds,
            local_hostname="localhost",
        )
        await client.connect()
        try:
            # Needed for what the server can do, and not always asked for before.
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
            yield client
        finally:
            client.close()

    def _refused(self, error: aiosmtplib.SMTPResponseException) -> NotSent:
        told = f"the mail server answered {error.code} {self._safe(str(error.message))}"
        if isinstance(error, aiosmtplib.SMTPAuthenticationError) or error.code in CREDENTIALS:
            told += "; expected it to accept the login; mend user and password in SMTP_URL"
            return NotSent("mail_credentials", told, Again.ONCE_MENDED, MEND_WAIT)
        if error.code < FAR:
            return NotSent("mail_put_off", told, Again.LATER)
        if isinstance(error, aiosmtplib.SMTPRecipientRefused | aiosmtplib.SMTPDataError):
            told += "; correct the address or what it names, then set the job to pending"
            return NotSent("mail_refused", told, Again.NEVER)
        # It refuses us, whatever the mail.
        told += "; expected a server that takes mails from us; mend SMTP_URL or MAIL_FROM"
        return NotSent("mail_settings", told, Again.ONCE_MENDED, MEND_WAIT)

    def _told(self, error: Exception) -> str:
        return f"mail server {self._server.host}:{self._server.port}: {self._safe(str(error) or 'no answer in time')}"

    def _safe(self, text: str) -> str:
        if self._server.password:
            text = text.replace(self._server.password, "[cut]")
        return redact(" ".join(text.split())[:300])


def _as_bytes(mail: Mail, *, international: bool) -> bytes:
    message = EmailMessage(policy=_INTERNATIONAL if international else _PLAIN)
    message["From"] = address(mail.sender_address, mail.sender_name)
    message["To"] = address(mail.recipient)
    message["Subject"] = mail.subject
    message["Date"] = localtime()
    message["Message-ID"] = mail.message_id
    # Told so that holiday notes do not answer (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message.as_bytes()
