"""What mails say: templates filled with what is known of a user."""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import jinja2

from actors.mail.contract import MailType
from db.session import storable

LONGEST_NAME: Final = 60
LONGEST_SUBJECT: Final = 150
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
# Mail programs make links of such words, and a name is chosen by whoever signs up with somebody's address.
_LINK: Final = re.compile(r"://|@|www\.|\w\.\w{2,}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a mail may tell; what is unknown is None and is left out."""

    product: str
    app_url: str = ""
    full_name: str | None = None
    business_name: str | None = None
    trial_end: datetime | None = None
    campaign_name: str | None = None
    creators: int = 0
    on_trial: bool = False


@dataclass(frozen=True, slots=True)
class Composed:
    """A mail's words."""

    subject: str
    text: str
    html: str


_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=jinja2.select_autoescape(("html",), default=False),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def compose(mail_type: MailType, facts: Facts) -> Composed:
    """The subject, text and HTML of a mail; the same facts give the same words."""
    known = {
        "product": facts.product,
        "app_url": facts.app_url,
        # The first word greets; who wrote more in front, as a title, is greeted by it.
        "name": tame(facts.full_name).partition(" ")[0],
        "business": tame(facts.business_name),
        "trial_end": _day(facts.trial_end),
        "on_trial": facts.on_trial,
        "campaign": tame(facts.campaign_name),
        "creators": facts.creators,
    }
    plain = _TEMPLATES.get_template(f"{mail_type}.txt")
    subject = " ".join("".join(plain.blocks["subject"](plain.new_context(known))).split())
    html = _TEMPLATES.get_template(f"{mail_type}.html").render(known, subject=subject)
    return Composed(_cut(subject, LONGEST_SUBJECT), f"{plain.render(known).strip()}\n", html)


def tame(text: str | None) -> str:
    """A name as a mail may repeat it: one short line; empty where there is none, or where it holds a link."""
    line = " ".join("".join(c if c.isprintable() else " " for c in storable(text or "")).split())
    return "" if _LINK.search(line) else _cut(line, LONGEST_NAME)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def _day(when: datetime | None) -> str:
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year}" if when else ""
