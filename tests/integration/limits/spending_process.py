"""Jobs of one process spend until a cap stops them: ``spending_process.py DATABASE_URL CAPS_JSON JOBS FIRST_JOB``."""

import asyncio
import json
import random
import sys
from datetime import timedelta

from db.session import make_pool
from tests.integration.limits.conftest import answered, call
from worker.limits.contract import Permit, Refusal
from worker.limits.credit_budget import CreditBudget

LIFE = timedelta(minutes=10)


async def spend(budget: CreditBudget, pool, job: int) -> None:
    """Call until refused; a call is announced as 3 credits and charged 0 to 3, as providers do."""
    about = call(credits=3, job_id=str(job), tenant=f"tenant {job % 2}")
    while True:
        told = await budget.admit(Permit(about))
        if isinstance(told, Refusal):
            return
        charged = random.choice((0, 1, 3, 3))  # noqa: S311
        await asyncio.sleep(random.random() / 50)  # noqa: S311
        async with pool.connection() as connection:
            await connection.execute(
                "INSERT INTO worker.spend (job_table, job_id, tenant, provider, account, endpoint, calls, credits)"
                " VALUES ('scraping_jobs', %s, %s, 'provider', 'account', 'search', 1, %s)",
                (about.job_id, about.tenant, charged),
            )
        await budget.answered(told, answered(credits=charged))


async def main(database_url: str, caps: dict[str, int], jobs: int, first: int) -> None:
    pool = make_pool(database_url, "spending", 6)
    await pool.open()
    budget = CreditBudget(pool, {"provider": caps}, LIFE)
    await asyncio.gather(*(spend(budget, pool, first + number) for number in range(jobs)))
    await pool.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
