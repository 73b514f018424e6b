"""Prints mails instead of sending them: what happens without a mail server, on a developer's machine."""

import sys
from datetime import timedelta

import structlog

from actors.mail.contract import Mail

log = structlog.get_logger()


class ConsoleTransport:
    """Writes a log line and the text of each mail to standard output."""

    name = "console"
    remembers: timedelta | None = None

    async def send(self, mail: Mail) -> str:
        """Print the mail; give its Message-ID."""
        log.info("mail_printed", message_id=mail.message_id, subject=mail.subject)
        sys.stdout.write(f"To: {mail.recipient}\nSubject: {mail.subject}\n\n{mail.text}\n")
        sys.stdout.flush()
        return mail.message_id
