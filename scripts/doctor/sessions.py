"""Checks of clocks, time zones and what stands between here and Postgres."""

from datetime import timedelta

from db.queries.diagnosing import fleet
from scripts.doctor.findings import Finding, Findings, NamedCheck, Patient


def _clock(p: Patient) -> Findings:
    before = p.clock()
    there = fleet.server(p.connection).now
    after = p.clock()
    # The server read its clock somewhere between the two.
    off = max(before - there, there - after, timedelta(0))
    if off > p.limits.clock:
        seen = f"this machine's clock and the database's are {off.total_seconds():.1f} s apart"
        todo = "let both keep time by NTP; leases use the database's clock alone and are safe"
        yield Finding("warning", "clock_differs", seen, f"at most {p.limits.clock.total_seconds():g} s", todo)


def _time_zone(p: Patient) -> Findings:
    server = fleet.server(p.connection)
    if not server.is_utc:
        yield Finding(
            "warning",
            "session_time_zone",
            f"sessions begin in {server.time_zone}: DEFAULT now() fills columns without zone with local time",
            "UTC",
            "ALTER ROLE ... SET timezone = 'UTC' for the role of each writer, or ALTER DATABASE for all",
        )


def _pooler(p: Patient) -> Findings:
    backends = {fleet.server(p.connection).backend_pid for _ in range(3)}
    told = p.connection.info.backend_pid
    if len(backends) > 1:
        how = "a pooler in transaction mode: statements go to changing backends"
    elif told not in backends:
        how = f"a pooler: the backend is {backends.pop()}, the connection was told {told}"
    else:
        return
    seen = f"{how}; fine: the engine keeps nothing in a session. Zone and time-outs must be set for the role"
    yield Finding("ok", "pooler", seen)


CHECKS: tuple[NamedCheck, ...] = (
    ("clock", "this machine and the database agree on the time", _clock),
    ("time_zone", "sessions are in UTC", _time_zone),
    ("pooler", "no pooler between here and Postgres", _pooler),
)
