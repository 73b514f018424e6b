"""Checks of the processes, their lanes and Redis."""

import redis

from db.queries.diagnosing import fleet
from scripts.doctor.findings import Finding, Findings, NamedCheck, Patient, some
from worker.broker import WakeUps
from worker.redaction import redact


def _processes(p: Patient) -> Findings:
    # A reconciler beats every five seconds, whatever the settings of the workers are.
    silent = max(2 * p.settings.beat_seconds, 15.0)
    everyone = fleet.processes(p.connection)
    alive = [process for process in everyone if process["silent"] <= silent]
    for kind, command in (("reconciler", "./run reconciler"), ("worker", "./run up")):
        if not any(process["kind"] == kind for process in alive):
            seen = f"no {kind} gave a sign of life in the last {silent:g} s"
            yield Finding("error", f"no_{kind}", seen, "one or more", f"start one: {command}")
    if quiet := [process for process in everyone if process["silent"] > silent]:
        words = [f"{w['kind']} {w['id']} ({w['host']}, pid {w['pid']}) for {w['silent']:.0f} s" for w in quiet]
        todo = "look at its host; killed ones are forgotten after ten leases, their tasks go on after one"
        yield Finding("warning", "process_silent", some(words), f"a sign of life each {silent / 2:g} s", todo)
    if polling := [process["id"] for process in alive if process["polling"]]:
        seen = f"{some(polling)} poll Postgres, as they cannot reach Redis"
        yield Finding("warning", "degraded_polling", seen, "wake-ups come through Redis", "see that Redis answers them")
    releases = sorted({process["release"] for process in alive if process["release"]})
    if len(releases) > 1:
        yield Finding("ok", "releases_differ", f"{some(releases)} run side by side; fine during a deploy")


def _lanes(p: Patient) -> Findings:
    now = fleet.server(p.connection).now
    for lane in fleet.lanes(p.connection):
        if lane["waits_since"] and now - lane["waits_since"] > p.limits.paused:
            since = now - lane["waits_since"]
            seen = (
                f"{lane['lane']} is paused ({lane['pause_reason'] or 'no reason given'}), work in it waits for {since}"
            )
            yield Finding(
                "warning", "lane_paused", seen, "pauses are short", f"resume it: ./run ops resume {lane['lane']}"
            )
    if late := fleet.late_schedules(p.connection, p.limits.schedule):
        expected = f"a schedule fires within {p.limits.schedule} of its time"
        yield Finding("error", "schedule_late", some(late), expected, "see that a reconciler runs, and read its log")


def _redis(p: Patient) -> Findings:
    if p.redis_client is None:
        yield Finding("ok", "redis", "not looked at")
        return
    wakeups = WakeUps(p.redis_client)
    try:
        policy = p.redis_client.info("memory").get("maxmemory_policy", "unknown")
        queued = {lane["lane"]: wakeups.queued(lane["lane"]) for lane in fleet.lanes(p.connection)}
    except redis.RedisError as error:
        seen = f"Redis does not answer: {redact(str(error))}"
        yield Finding(
            "error", "redis_unreachable", seen, "an answer", "start it, or mend REDIS_URL; workers poll so long"
        )
        return
    if policy != "noeviction":
        seen = f"maxmemory-policy is {policy}: Redis may drop wake-ups and limits when memory is short"
        yield Finding("warning", "redis_policy", seen, "noeviction", "CONFIG SET maxmemory-policy noeviction")
    for lane in fleet.lanes(p.connection):
        most = p.limits.list_factor * max(lane["max_running"], 1)
        if queued.get(lane["lane"], 0) > most:
            seen = f"the list of {lane['lane']} holds {queued[lane['lane']]} wake-ups"
            todo = f"see that workers take them; deleting the list trawler:{lane['lane']} loses nothing"
            yield Finding("warning", "redis_list", seen, f"at most {most}", todo)


CHECKS: tuple[NamedCheck, ...] = (
    ("processes", "reconcilers and workers are alive", _processes),
    ("lanes", "no lane is forgotten in pause, no schedule is late", _lanes),
    ("redis", "Redis answers, keeps what it is given, and its lists are short", _redis),
)
