"""Without a mail server, mails are printed."""

from actors.mail.console import ConsoleTransport
from tests.unit.mail.test_smtp import MAIL


async def test_a_mail_is_printed_whole_and_not_sent(capsys):
    assert await ConsoleTransport().send(MAIL) == MAIL.message_id
    printed = capsys.readouterr().out
    for piece in (MAIL.recipient, MAIL.subject, MAIL.text):
        assert piece in printed
