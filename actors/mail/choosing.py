"""Which way mails go, by the settings; made once a process."""

from dataclasses import dataclass
from functools import cache

import structlog

from actors.mail.console import ConsoleTransport
from actors.mail.contract import Transport
from actors.mail.resend import ResendTransport
from actors.mail.smtp import SmtpTransport
from worker.mail_settings import Sender, read_sender, read_smtp_url
from worker.settings import Settings, load_settings

log = structlog.get_logger()

NOBODY = Sender("Trawler", "trawler@localhost")
"""Whom printed mails are from, where nothing is set."""


@dataclass(frozen=True, slots=True)
class Post:
    """How this process sends mails: the way, whom they are from, and where they lead."""

    transport: Transport
    sender: Sender
    app_url: str
    max_waits: int
    """Waits in a row after which a job is given up."""

    @property
    def product(self) -> str:
        """The name that signs mails."""
        return self.sender.name or NOBODY.name


@cache
def post_of_this_process() -> Post:
    """By the settings, which were checked at boot. Raises `ConfigurationError` where nobody checked them."""
    post = make_post(load_settings())
    log.info("mail_goes_by", transport=post.transport.name)
    return post


def make_post(settings: Settings) -> Post:
    """Resend where its key is set, a mail server where its URL is, else nothing but print."""
    sender = read_sender(settings.mail_from) if settings.mail_from else NOBODY
    return Post(_transport(settings), sender, settings.app_url, settings.max_waits)


def _transport(settings: Settings) -> Transport:
    key, server = settings.resend_api_key.get_secret_value(), settings.smtp_url.get_secret_value()
    if key:
        return ResendTransport(settings.resend_base_url, key, settings.mail_seconds)
    if server:
        return SmtpTransport(read_smtp_url(server), settings.mail_seconds)
    return ConsoleTransport()
