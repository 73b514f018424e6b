"""Why a job is not running now: one sentence, then the facts, then all that happened to it."""
