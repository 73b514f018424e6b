"""What somebody should look at, as sentences: each says what is seen, what it means and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass

from console.redis_view import Seen
from console.words import plain, relative
from db.queries.console.fleet import LaneLine, Needs, Process


@dataclass(frozen=True, slots=True)
class Banner:
    """One of them. ``tone`` is ``bad`` where work stands still, else ``wait``; ``link`` leads on."""

    tone: str
    title: str
    text: str
    link: str | None = None
    link_text: str = ""


def banners_of(lanes: Sequence[LaneLine], processes: Sequence[Process], needs: Needs, seen: Seen) -> list[Banner]:
    """All that hold now, the worst first."""
    banners = [
        *_of_processes(processes, any(lane.ready or lane.waiting for lane in lanes)),
        *_of_redis(processes, seen),
        *_of_providers(seen),
        *_of_tasks(needs),
    ]
    return sorted(banners, key=lambda banner: banner.tone != "bad")


def _of_processes(processes: Sequence[Process], work: bool) -> list[Banner]:
    alive = {one.kind for one in processes if one.alive}
    found = []
    if "reconciler" not in alive:
        text = (
            "New rows are not adopted, and jobs that wait are not made ready. Start one: ./run up or ./run reconciler."
        )
        found.append(Banner("bad", "No reconciler is alive.", text))
    if "worker" not in alive:
        text = "Nothing runs. Start some: ./run up or ./run worker."
        found.append(Banner("bad" if work else "wait", "No worker is alive.", text))
    return found


def _of_redis(processes: Sequence[Process], seen: Seen) -> list[Banner]:
    polling = sum(one.alive and one.polling for one in processes)
    if seen.problem is None and not polling:
        return []
    if seen.problem is None:
        text = f"{polling} workers still look at Postgres by themselves; they stop within seconds once they reach it."
        return [Banner("wait", "Workers are without Redis.", text)]
    text = f"Jobs go on: workers look at Postgres by themselves, with a pause. {seen.problem}"
    return [Banner("wait", "Redis is away.", text)]


def _of_providers(seen: Seen) -> list[Banner]:
    return [
        Banner(
            "bad" if not one.endpoint else "wait",
            f"{one.provider}{' ' + one.endpoint if one.endpoint else ''} is paused.",
            f"{plain(one.reason)}: {one.detail or 'no detail'}. The next call that tries it goes out "
            f"{relative(one.next_probe)}.",
            "/providers",
            "Providers",
        )
        for one in seen.breakers
    ]


def _of_tasks(needs: Needs) -> list[Banner]:
    found = []
    if needs.parked:
        title = f"{needs.parked} {'task is' if needs.parked == 1 else 'tasks are'} parked."
        text = "Their workers died again and again over them. Look at the evidence, then retry or cancel them."
        found.append(Banner("wait", title, text, f"/jobs/{needs.parked_job}", "The newest"))
    if needs.triggers < 4:
        text = "New rows wait for the full sweep, which comes each minute and puts missing triggers back."
        found.append(Banner("wait", "Triggers of the job tables are missing or disabled.", text))
    if needs.unadopted > 1000:
        text = "The reconciler is behind, or has just started."
        found.append(Banner("wait", "More than 1,000 rows wait for adoption.", text))
    if needs.drifted:
        text = f"{', '.join(needs.drifted)}: answers have another shape than usual."
        found.append(Banner("wait", "A provider has changed.", text, "/providers", "Providers"))
    return found
