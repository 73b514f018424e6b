"""All commands of ``./run ops`` on one app; a command's module is imported when it is called, and not before."""

from importlib import import_module
from typing import Any, Final, NamedTuple

import typer
from typer.core import TyperGroup


class Entry(NamedTuple):
    """Where a command is, and what the list of commands says of it: the first sentence of its own help."""

    module: str
    name: str
    help: str


COMMANDS: Final[dict[str, Entry]] = {
    "enqueue": Entry("enqueue", "enqueue", "Put a search in, by words or for creators like one."),
    "list": Entry("listing", "list_", "Show the newest jobs."),
    "show": Entry("jobs", "show", "Show one job of any table: its row, its task, every page and attempt."),
    "explain": Entry("health", "explain", "Say why a job is not running now, and all that happened to it."),
    "retry": Entry("retrying", "retry", "Let jobs that ended go on, or begin again."),
    "undo": Entry("retrying", "undo", "Take the last retry back, for jobs that have not started since."),
    "cancel": Entry("cancelling", "cancel", "Stop jobs; what they have stored is kept."),
    "export": Entry("exporting", "export", "Put a job in that writes the creators of a job or campaign to a file."),
    "status": Entry("fleet", "status", "Show lanes, processes and how many jobs stand where."),
    "top": Entry("top", "top", "Watch lanes, jobs and processes live, until q or Ctrl-C."),
    "lanes": Entry("fleet", "lanes", "Show every lane: what runs and waits, and what holds it back."),
    "workers": Entry("fleet", "workers", "Show every process of the fleet."),
    "pause": Entry("pausing", "pause", "Let no job of these lanes start; running ones go on."),
    "resume": Entry("pausing", "resume", "End the pause and the rest of lanes, or of a provider."),
    "cooldown": Entry("cooling", "cooldown", "Let lanes, or a provider, rest for a while."),
    "drain": Entry("draining", "drain", "Let nothing new start, and tell when all is idle."),
    "limits": Entry("limits", "app", "Show and set the limits of lanes and providers."),
    "spend": Entry("spend", "spend", "Show calls and credits, in each provider's own unit."),
    "quarantine": Entry("quarantine", "quarantine", "Show items that could not be read, newest first."),
    "replay": Entry("quarantine", "replay", "Read items again and store what now passes."),
    "schedules": Entry("schedules", "app", "Background jobs put in by the clock."),
    "config": Entry("config", "app", "Read and change configurations."),
    "doctor": Entry("health", "doctor", "Find what is wrong with the deployment; exit code 1 when anything is."),
    "prune": Entry("pruning", "prune", "Delete now what the engine's own tables need not keep."),
    "record": Entry("recording", "record", "Make one call, which is paid for, and keep it as a cassette."),
    "migrate-user-profiles": Entry("user_profiles", "migrate_user_profiles", "Move users of the older layout."),
}


class OnDemand(TyperGroup):
    """A group whose commands are imported one by one."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # What is looked through for a name that is nearly right.
        self.commands = dict.fromkeys(COMMANDS)  # type: ignore[assignment]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import the command; None when there is none of this name."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        found = getattr(import_module(f"scripts.ops.{entry.module}"), entry.name)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False, rich_markup_mode=None)
            alone.command(cmd_name)(found)
            found = alone
        return typer.main.get_command(found)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands by what is known of them without an import."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


app = typer.Typer(
    cls=OnDemand,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"max_content_width": 100},
)


@app.callback()
def ops() -> None:
    """Look at jobs and mend them. Each command has --help with an example, and --json."""
