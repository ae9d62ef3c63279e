"""Energy of the processors is told where the kernel tells it, across the end of its counter, and never guessed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from telemetry.rapl import open_packages


def zone(root, name, kind, energy_uj=1_000_000, range_uj=262_143_328_850):
    """The files that the kernel shows for a power zone; energy ends with a newline, as there."""
    folder = root / name
    folder.mkdir()
    (folder / "name").write_text(f"{kind}\n")
    (folder / "max_energy_range_uj").write_text(f"{range_uj}\n")
    (folder / "energy_uj").write_text(f"{energy_uj}\n")
    return folder / "energy_uj"


def test_each_package_is_told_once(tmp_path):
    """Its parts, the whole board and the second way to the same package would be counted twice."""
    for name, kind in (
        ("intel-rapl:0", "package-0"),
        ("intel-rapl:0:0", "core"),
        ("intel-rapl:0:1", "dram"),
        ("intel-rapl:1", "package-1"),
        ("intel-rapl:2", "psys"),
        ("intel-rapl-mmio:0", "package-0"),
    ):
        zone(tmp_path, name, kind)
    (tmp_path / "intel-rapl").mkdir()  # the control type itself
    packages, absent = open_packages(tmp_path)
    assert [(one.facts.kind, one.facts.uuid, one.facts.index) for one in packages] == [
        ("cpu_package", "cpu-package-0", 0),
        ("cpu_package", "cpu-package-1", 1),
    ]
    assert {one.facts.energy_source for one in packages} == {"counter"}
    assert absent == ()


def test_energy_grows_across_the_end_of_the_counter(tmp_path):
    counter = zone(tmp_path, "intel-rapl:0", "package-0", energy_uj=9_000_000, range_uj=10_000_000)
    (package,), _ = open_packages(tmp_path)
    energies = [package.read().energy_j]
    for energy_uj in (9_500_000, 250_000, 9_000_000, 1_000_000):
        counter.write_text(f"{energy_uj}\n")
        energies.append(package.read().energy_j)
    assert energies == [9.0, 9.5, 10.25, 19.0, 21.0]


def test_a_counter_that_vanishes_or_is_no_number_is_told(tmp_path):
    counter = zone(tmp_path, "intel-rapl:0", "package-0")
    (package,), _ = open_packages(tmp_path)
    counter.write_text("\n")
    assert (package.read().energy_j, "invalid literal" in package.read().error) == (None, True)
    counter.unlink()
    assert "No such file" in package.read().error
    zone(tmp_path, "intel-rapl:1", "package-1", energy_uj="garbage")
    packages, absent = open_packages(tmp_path)
    assert packages == ()
    assert len(absent) == 2


@pytest.fixture
def nobody():
    """A folder that everybody may enter, and no rights of root in this test."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - of a text
        try:
            yield Path(folder), lambda: os.seteuid(65534) if os.getuid() == 0 else None
        finally:
            os.seteuid(os.getuid())


def test_a_counter_that_only_root_may_read_is_absent_with_its_reason(nobody):
    root, give_up_rights = nobody
    counter = zone(root, "intel-rapl:0", "package-0")
    counter.chmod(0o400 if os.getuid() == 0 else 0)
    give_up_rights()
    assert open_packages(root) == ((), (f"processor energy: only root may read {counter}",))


@pytest.mark.parametrize("there", [True, False])
def test_a_machine_without_counters_says_so(tmp_path, there):
    root = tmp_path if there else tmp_path / "none"
    packages, absent = open_packages(root)
    assert packages == ()
    assert absent == (f"processor energy: this machine shows no counters (no intel-rapl in {root})",)


def test_this_machine_either_tells_its_energy_or_why_not():
    packages, absent = open_packages()
    assert packages or absent
    for package in packages:
        assert (package.read().energy_j or 0) > 0
