"""The benchmark's script: what it is started with, its start, and its run next to the server."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # where our own scripts run, and find their packages
