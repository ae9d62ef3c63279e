"""HTML from stdin as PDF to stdout: `python -m web.pages.pdf_process`. It fetches nothing, whatever the page names."""

from __future__ import annotations

import resource
import signal
import sys

CPU_S = 50
MEMORY_BYTES = 1 << 30


def main() -> None:
    """Limits first, so that they hold for everything that is imported."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # `serve` decides
    from weasyprint import HTML
    from weasyprint.urls import URLFetcher

    class Refusing(URLFetcher):  # type: ignore[misc] # it has no types
        def fetch(self, url: str, *_: object, **__: object) -> None:
            """Nothing, whatever the scheme."""
            raise ValueError(f"nothing is fetched: {url[:80]}")

    page = sys.stdin.buffer.read().decode()
    sys.stdout.buffer.write(HTML(string=page, url_fetcher=Refusing(), base_url=None).write_pdf())


if __name__ == "__main__":
    main()
