"""What storing creators changes in their user's plan: the pieces that every statement shares that stores some.

They see the statement's other parts: ``page`` (empty when nothing may be written), ``counts`` (``stored``), ``job``
(``user_id``) and ``plan`` (what `worker.lock_plan` gave).
"""

from typing import Final, LiteralString

LOCK: Final[LiteralString] = "SELECT p.* FROM job, worker.lock_plan(job.user_id, %(unplanned)s::integer) AS p"
"""What the plan has left, its counter locked for the rest of the transaction."""

COUNT: Final[LiteralString] = """
    UPDATE public.user_usage g
       SET usage_creators_current_month =
               CASE WHEN p.o_month IS NULL THEN g.usage_creators_current_month ELSE 0 END + counts.stored,
           enrichments_current_month = CASE WHEN p.o_month IS NULL THEN g.enrichments_current_month ELSE 0 END,
           usage_reset_date = coalesce(p.o_month, g.usage_reset_date), updated_at = worker.utc_now()
      FROM page, counts, plan p
     WHERE g.id = p.o_usage AND counts.stored > 0
"""
"""Counts what is stored, and begins the user's month where nobody has."""

TELL: Final[LiteralString] = """
    SELECT count(worker.tell(
        format('system_automation_%%s_%%s_usage_reset', job.user_id, to_char(p.o_month, 'YYYY-MM')),
        'usage_reset', 'user', job.user_id,
        jsonb_build_object('userId', job.user_id, 'month', to_char(p.o_month, 'YYYY-MM'),
                           'creatorsBefore', p.o_creators, 'enrichmentsBefore', p.o_enrichments),
        'system_automation'))
      FROM page, job, plan p, counts
     WHERE p.o_usage IS NOT NULL AND p.o_month IS NOT NULL AND counts.stored > 0
"""
"""Tells of a month that was begun, under the key that the job ``reset_monthly_usage`` uses."""
