"""Every error of ours, in one tree.

TrawlerError
├── ConfigurationError      a setting or a server is wrong; only an operator can mend it
│   └── ServerUnavailable   a server does not answer, or an embedded one cannot be had
├── InvalidJob              the row asks for something that cannot be done; never retried
├── ProviderError           a provider's answer, or the lack of one
│   ├── TransportFailure    no complete answer came
│   │   └── BodyTooLarge    the answer passed the size cap and was cut off
│   └── ShapeError          an answer came whose shape is not the documented one
├── PageRefused             a page's data could not be stored, and will not be if tried again
├── AuthorityLost           the lease is somebody else's now; throw the work away
└── JobSignal               raised by a handler to say how its job goes on
    ├── RetryJob            an error that may clear: one attempt spent
    ├── WaitJob             something must pass first: no attempt spent
    └── FailJob             it will not work: give up at once
"""

from datetime import timedelta


class TrawlerError(Exception):
    """Root of the tree. ``code`` is stable and goes into logs and metrics."""

    code = "trawler_error"


class ConfigurationError(TrawlerError):
    """Raised when a setting or a server is wrong; the text says which and what to do."""

    code = "configuration"


class ServerUnavailable(ConfigurationError):
    """Raised when a server does not answer, or an embedded one cannot be found or did not become ready."""

    code = "server_unavailable"


class InvalidJob(TrawlerError):
    """Raised when a row asks for something that cannot be done; the text goes into its ``error``."""

    code = "invalid_job"


class ProviderError(TrawlerError):
    """Raised when a provider does not answer as documented."""

    code = "provider"


class TransportFailure(ProviderError):
    """Raised when no complete answer came: refused, reset, too slow, cut off."""

    code = "transport"


class BodyTooLarge(TransportFailure):
    """Raised when an answer passed the size cap; reading stopped there."""

    code = "body_too_large"


class ShapeError(ProviderError):
    """Raised when an answer's shape is not the documented one; ``reason`` is stable."""

    code = "shape"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class PageRefused(TrawlerError):
    """Raised when Postgres refuses a page's data for what it is (not for lack of a connection)."""

    code = "page_refused"


class AuthorityLost(TrawlerError):
    """Raised when a write named a token that is no longer the task's."""

    code = "authority_lost"


class JobSignal(TrawlerError):
    """Raised by a handler to say how its job goes on; ``reason`` is a stable word, the text is for people."""

    code = "job_signal"

    def __init__(self, reason: str, message: str = "", delay: timedelta | None = None) -> None:
        super().__init__(message or reason)
        self.reason = reason
        self.delay = delay


class RetryJob(JobSignal):
    """Raised when another attempt may work; it is never sooner than ``delay``."""

    code = "retry_job"


class WaitJob(JobSignal):
    """Raised when something must pass first; the job is due again after ``delay`` and spends no attempt."""

    code = "wait_job"


class FailJob(JobSignal):
    """Raised when another attempt would not work either."""

    code = "fail_job"
