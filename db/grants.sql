-- The least a fleet needs: workers, the reconciler and the ops command, as a role that owns nothing. Each line is needed
-- by a statement of this release. `./run migrate --grants-for ROLE` gives them; so does, as the owner of the tables,
--     psql -v role=ROLE -f db/grants.sql
-- docs/security.md tells what is not here, and why.

GRANT USAGE ON SCHEMA public TO :"role";
GRANT USAGE ON SCHEMA worker TO :"role";

-- The application's tables. Of users and campaigns only what a job changes: nobody becomes an admin by a job.
GRANT SELECT, INSERT, UPDATE, DELETE ON public.background_jobs TO :"role";
GRANT SELECT, UPDATE (status, updated_at) ON public.campaigns TO :"role";
GRANT SELECT, INSERT, UPDATE ON public.events TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON public.scraping_jobs TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON public.scraping_results TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON public.search_jobs TO :"role";
GRANT SELECT, INSERT, DELETE ON public.search_results TO :"role";
GRANT SELECT ON public.subscription_plans TO :"role";
GRANT SELECT, INSERT, UPDATE ON public.system_configurations TO :"role";
GRANT SELECT, INSERT, UPDATE ON public.user_billing TO :"role";
GRANT SELECT, INSERT, UPDATE ON public.user_subscriptions TO :"role";
GRANT SELECT, INSERT, UPDATE ON public.user_system_data TO :"role";
GRANT SELECT, INSERT, UPDATE ON public.user_usage TO :"role";
GRANT SELECT, UPDATE (onboarding_step, updated_at) ON public.users TO :"role";

-- The engine's own.
GRANT SELECT ON worker.alembic_version TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON worker.attempts TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON worker.budget_reservations TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON worker.budget_use TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON worker.checkpoints TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON worker.creator_profiles TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON worker.enqueue_keys TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON worker.group_leases TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON worker.inbox TO :"role";
GRANT SELECT, INSERT, UPDATE ON worker.lanes TO :"role";
GRANT SELECT, INSERT, UPDATE ON worker.metrics TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON worker.pages TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON worker.profile_claims TO :"role";
GRANT SELECT, INSERT, UPDATE ON worker.quarantine TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON worker.schedules TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON worker.searches TO :"role";
GRANT SELECT, INSERT, DELETE ON worker.seen_creators TO :"role";
GRANT SELECT, INSERT, UPDATE ON worker.shapes TO :"role";
GRANT SELECT, INSERT ON worker.spend TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON worker.tasks TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON worker.tenant_turns TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON worker.workers TO :"role";

-- Anybody may call functions unless the owner took that right from PUBLIC; then these are needed.
GRANT EXECUTE ON FUNCTION worker.budget_rows TO :"role";
GRANT EXECUTE ON FUNCTION worker.claim TO :"role";
GRANT EXECUTE ON FUNCTION worker.claim_group TO :"role";
GRANT EXECUTE ON FUNCTION worker.count_credits TO :"role";
GRANT EXECUTE ON FUNCTION worker.end_search TO :"role";
GRANT EXECUTE ON FUNCTION worker.ensure_triggers TO :"role";
GRANT EXECUTE ON FUNCTION worker.forget_events TO :"role";
GRANT EXECUTE ON FUNCTION worker.groups_of TO :"role";
GRANT EXECUTE ON FUNCTION worker.lock_plan TO :"role";
GRANT EXECUTE ON FUNCTION worker.lock_search TO :"role";
GRANT EXECUTE ON FUNCTION worker.pass_over TO :"role";
GRANT EXECUTE ON FUNCTION worker.plan_of TO :"role";
GRANT EXECUTE ON FUNCTION worker.release_expired_credits TO :"role";
GRANT EXECUTE ON FUNCTION worker.reserve_credits TO :"role";
GRANT EXECUTE ON FUNCTION worker.search_key TO :"role";
GRANT EXECUTE ON FUNCTION worker.search_row TO :"role";
GRANT EXECUTE ON FUNCTION worker.searches_of TO :"role";
GRANT EXECUTE ON FUNCTION worker.settle_credits TO :"role";
GRANT EXECUTE ON FUNCTION worker.start_row TO :"role";
GRANT EXECUTE ON FUNCTION worker.start_rows TO :"role";
GRANT EXECUTE ON FUNCTION worker.tell TO :"role";
GRANT EXECUTE ON FUNCTION worker.tell_of_job TO :"role";
GRANT EXECUTE ON FUNCTION worker.tell_of_search TO :"role";
GRANT EXECUTE ON FUNCTION worker.utc_now TO :"role";
