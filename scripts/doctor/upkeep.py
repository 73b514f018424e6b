"""Checks of what a deployment needs to stay well."""

from db.queries.diagnosing import upkeep
from scripts.doctor.findings import Finding, Findings, NamedCheck, Patient, some


def _vacuum(p: Patient) -> Findings:
    if old := upkeep.old_transactions(p.connection, p.limits.old_transaction):
        todo = "end them: SELECT pg_terminate_backend(pid), or ROLLBACK PREPARED"
        expected = f"none older than {p.limits.old_transaction}: they hold vacuum back"
        yield Finding("warning", "old_transaction", some(old), expected, todo)
    if unseen := upkeep.unseen_sessions(p.connection):
        seen = f"{unseen} sessions of other roles cannot be looked into; GRANT pg_read_all_stats would show theirs"
        yield Finding("ok", "unseen_sessions", seen)
    if slots := upkeep.idle_slots(p.connection):
        todo = "SELECT pg_drop_replication_slot(name), or start its reader"
        yield Finding("warning", "idle_slot", f"replication slots nobody reads: {some(slots)}", "none", todo)
    live, dead = upkeep.dead_rows(p.connection)
    if dead > live * 5 + 10_000:
        todo = "find what holds vacuum back, then VACUUM worker.tasks"
        yield Finding("warning", "dead_rows", f"worker.tasks has {dead} dead rows to {live} live", "few", todo)
    if off := upkeep.without_autovacuum(p.connection):
        todo = "autovacuum = on, and ALTER TABLE ... RESET (autovacuum_enabled)"
        yield Finding("warning", "autovacuum_off", f"autovacuum is off for {some(off)}", "on", todo)


def _keys(p: Patient) -> Findings:
    if not p.settings.scrapecreators_api_key.get_secret_value():
        seen = "SCRAPECREATORS_API_KEY is not set: every scraping job will end as error"
        yield Finding("error", "api_key_missing", seen, "a key", "set it in the environment or in .env")


CHECKS: tuple[NamedCheck, ...] = (
    ("vacuum", "nothing holds vacuum back", _vacuum),
    ("keys", "the provider's key is set", _keys),
)
