"""Counts requests by route and status, for `/metrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram

if TYPE_CHECKING:
    from starlette.types import Scope

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE = "none"  # an address that we don't have, so that strangers can't make up names
_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Traffic:
    """The metrics of requests. registry: also takes the others that `/metrics` shows."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "bench_requests", "Requests, by route and status.", ("method", "route", "status"),
            registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "bench_request_seconds", "Time until an answer begins, by route.", ("route",),
            buckets=_BOUNDS_S, registry=self.registry,
        )  # fmt: skip

    def answered(self, scope: Scope, status: int, seconds: float) -> None:
        """Count an answer that begins."""
        # Nor may they make up methods: what is refused before its method is looked at has any.
        method = scope["method"] if status != 405 and scope["method"] in METHODS else "other"
        route = getattr(scope.get("route"), "path", NO_ROUTE)
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
