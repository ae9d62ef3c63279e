"""Certificates of accelerations: what `certify` found, kept beside the runs that it rests on.

RESULTS/certificates/ID.json     ID: of the settings and the margin, so that the same question has one certificate
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from results.durable import explained, replace_file
from results.errors import NewerRecord, ResultsError
from results.files import read_file
from results.folders import CERTIFICATES
from results.json_text import encode_indented
from results.records import Outcome, decode_versioned
from results.stats.certification import Certified

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CERTIFICATE_VERSION = 1


class CertifiedRuns(msgspec.Struct, frozen=True, kw_only=True):
    """The runs on one benchmark, by id, and their fingerprints."""

    benchmark: str
    plain: str
    again: str
    accelerated: str
    plain_fingerprint: str
    accelerated_fingerprint: str
    samples: int


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """Of `compared` completions: how many were answered in other words (None: a run kept no words), where they first
    differ (a median, in characters from the beginning), and which outcomes changed.
    """

    compared: int
    changed: int | None
    median_first_difference: int | None
    to_pass: int
    to_fail: int
    other_outcomes: int

    @property
    def flipped(self) -> int:
        """How many outcomes changed."""
        return self.to_pass + self.to_fail + self.other_outcomes


class FirstChange(msgspec.Struct, frozen=True, kw_only=True):
    """A completion that the acceleration answered otherwise. first_difference: characters that are the same before it;
    None: the same words, judged otherwise.
    """

    benchmark: str
    task_id: str
    index: int
    first_difference: int | None
    plain: Outcome
    accelerated: Outcome


class Alone(msgspec.Struct, frozen=True, kw_only=True):
    """Of `odd` samples on which two of the three runs agree, on how many the accelerated one is the other: by chance a
    third. p_value: of so many or more by chance.
    """

    odd: int
    accelerated: int
    p_value: float


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Of one run; None: not measured. not_comparable: why its speed says little; energy_doubts: why its energy does."""

    benchmark: str
    tokens_per_s: float | None = None
    energy_j: float | None = None
    joules_per_completion: float | None = None
    gpu_memory_bytes: int | None = None
    host_memory_bytes: int | None = None
    draft_acceptance: float | None = None
    not_comparable: tuple[str, ...] = ()
    energy_doubts: tuple[str, ...] = ()


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """An acceleration against plain decoding of the same model on the same samples.

    certificate_id: its file's name. settings: those of the plain runs; acceleration: by name of a setting, its value
    in the plain and in the accelerated runs. runs: by benchmark; all samples are judged together. Scores, differences
    and the margin are in points, of 100; the interval (low, high) has 90 %, so that each side is a test at 5 %.
    damage_p: one-sided. noise: plain against plain; changes: the acceleration against plain. other_words,
    other_verdicts: how often the acceleration stands alone. samples_needed: that would decide in four of five cases;
    None if it is decided. lost: samples left out because an answer was lost.
    """

    schema_version: int = CERTIFICATE_VERSION
    certificate_id: str
    created: str
    model: str
    model_sha256: str | None
    settings: dict[str, Any]
    acceleration: dict[str, tuple[Any, Any]]
    runs: tuple[CertifiedRuns, ...]
    verdict: Certified
    margin_points: float
    samples: int
    completions_per_sample: int
    plain_score: float
    again_score: float
    accelerated_score: float
    difference_points: float
    low_points: float
    high_points: float
    damage_p: float
    noise: Changes
    changes: Changes
    other_words: Alone | None
    other_verdicts: Alone
    first_changes: tuple[FirstChange, ...]
    plain_costs: tuple[Costs, ...]
    again_costs: tuple[Costs, ...]
    accelerated_costs: tuple[Costs, ...]
    lost: int = 0
    samples_needed: int | None = None

    @property
    def harmless(self) -> bool:
        """Whether it is shown that nothing that matters is lost."""
        return self.verdict in {Certified.IDENTICAL, Certified.WITHIN_NOISE}

    @property
    def seen_beyond_noise(self) -> bool:
        """Whether it changes words or verdicts more often than plain decoding does by itself, at the 5 % level."""
        tests = [each for each in (self.other_words, self.other_verdicts) if each is not None]
        return any(each.p_value <= _LEVEL / len(tests) for each in tests)


_LEVEL = 0.05


def keep_certificate(results_dir: Path, certificate: Certificate) -> Path:
    """Write it durably, in the place of an older one with this id. Returns its path. Raises ResultsError."""
    path = results_dir / CERTIFICATES / f"{certificate.certificate_id}.json"
    with explained("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, encode_indented(certificate))
    return path


def read_certificate(path: Path) -> Certificate:
    """Raises NewerRecord, ResultsError."""
    with explained("read", path):
        data = read_file(path)
    return decode_versioned(
        data, Certificate, version=CERTIFICATE_VERSION, where=str(path), what="a certificate"
    )


def all_certificates(results_dir: Path, *, warn: Callable[[str], None]) -> tuple[Certificate, ...]:
    """All certificates, oldest first. One that can't be read is left out and reported to `warn`. Raises NewerRecord."""
    folder = results_dir / CERTIFICATES
    with explained("read", folder):
        paths = sorted(folder.glob("[!.]*.json")) if folder.is_dir() else []
    found = []
    for path in paths:
        try:
            found.append(read_certificate(path))
        except NewerRecord:
            raise
        except ResultsError as error:
            warn(error.message)
    return tuple(sorted(found, key=lambda each: each.created))


def certificates_of(
    results_dir: Path, accelerated_fingerprint: str, *, warn: Callable[[str], None]
) -> tuple[Certificate, ...]:
    """Those that judge runs with this fingerprint, newest first."""
    every = all_certificates(results_dir, warn=warn)
    return tuple(
        each
        for each in reversed(every)
        if any(runs.accelerated_fingerprint == accelerated_fingerprint for runs in each.runs)
    )
