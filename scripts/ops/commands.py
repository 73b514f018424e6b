"""All commands of ``./run ops`` on one app."""

from collections.abc import Callable
from typing import Final

import typer

from scripts.ops import config, control, enqueue, health, jobs, quarantine, recording, schedules, spend, user_profiles

COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "enqueue": enqueue.enqueue,
    "list": jobs.list_,
    "show": jobs.show,
    "explain": health.explain,
    "retry": jobs.retry,
    "cancel": control.cancel,
    "status": health.status,
    "doctor": health.doctor,
    "pause": control.pause,
    "resume": control.resume,
    "quarantine": quarantine.quarantine,
    "replay": quarantine.replay,
    "record": recording.record,
    "spend": spend.spend,
    "migrate-user-profiles": user_profiles.migrate_user_profiles,
}

app = typer.Typer(help="Look at jobs and mend them.", no_args_is_help=True, add_completion=False, rich_markup_mode=None)
for name, command in COMMANDS.items():
    app.command(name)(command)
app.add_typer(schedules.app, name="schedules")
app.add_typer(config.app, name="config")
