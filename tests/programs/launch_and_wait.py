"""A harness to be killed: launches a fake server through the supervisor and holds it.

Arguments: port, log file, then the options of fake_server.py.
"""

import signal
import sys
import time
from pathlib import Path

from servers.plan import LaunchPlan
from servers.supervisor import launch
from settings.base_url import parse_base_url

FAKE_SERVER = Path(__file__).with_name("fake_server.py")


def interrupt(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def main() -> None:
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    port, log = int(sys.argv[1]), Path(sys.argv[2])
    argv = (sys.executable, "-I", "-S", str(FAKE_SERVER), "--port", str(port), *sys.argv[3:])
    plan = LaunchPlan(
        kind="command",
        argv=argv,
        base_url=parse_base_url(f"http://127.0.0.1:{port}"),
        model_name="fake",
    )
    phase = lambda name: print(name, flush=True)  # noqa: E731
    with launch(plan, log_path=log, ready_timeout_s=30, on_phase=phase):
        time.sleep(60)


main()
