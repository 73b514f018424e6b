"""``noop``: does nothing. For trying the engine, and for measuring what a job costs by itself."""

import msgspec

from actors.handlers.contract import Handler, JobContext


class NoopPayload(msgspec.Struct):
    """Anything goes."""


async def run(context: JobContext, payload: NoopPayload) -> None:
    """Do nothing."""


HANDLERS = (Handler("noop", NoopPayload, run, at_once=250, grouped=True),)
