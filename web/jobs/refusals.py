"""Why the queue doesn't do what it was asked for."""

from __future__ import annotations

from results.errors import ResultsError, UsageError


class QueueFull(UsageError):
    """The user has as many waiting jobs as they may have. retry_after_s: when one of them is expected to start."""

    kind = "queue_full"

    def __init__(self, message: str, *, retry_after_s: float, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class NoSuchJob(UsageError):
    """No job, schedule or key has that id."""

    kind = "no_such_job"


class WrongStatus(UsageError):
    """What was asked for isn't possible in the job's status."""

    kind = "wrong_status"


class KeyReused(UsageError):
    """The same Idempotency-Key came with something else to do."""

    kind = "idempotency_key_reused"


class ClaimLost(ResultsError):
    """Another worker has the job now, or nobody: this one must stop what it runs of it, and may write nothing."""

    kind = "claim_lost"
