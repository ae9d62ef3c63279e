"""What is asked of the Hugging Face Hub.

Without names of files, those of the Hub's own Parquet conversion are taken (branch refs/convert/parquet, which has
CONFIG/SPLIT/0000.parquet, 0001.parquet, ...): every public data set has it, and its names are known without asking.
"""

from __future__ import annotations

from dataclasses import dataclass

PARQUET_BRANCH = "refs/convert/parquet"


@dataclass(frozen=True)
class HubData:
    """A split of a data set. repository: OWNER/NAME. files: their names in it, if they are not the Hub's Parquet files.

    revision: a branch, tag or commit; None: the newest at the first use, which is pinned then. sha256: of the files'
    content in their order; None: whatever was pinned at the first use.
    """

    repository: str
    config: str = ""
    split: str = ""
    files: tuple[str, ...] = ()
    revision: str | None = None
    sha256: str | None = None

    @property
    def revision_asked(self) -> str:
        """The branch, tag or commit that is asked for at the first use."""
        return self.revision or ("main" if self.files else PARQUET_BRANCH)

    @property
    def revisions(self) -> tuple[str, ...]:
        """Where its files are looked for the first time. Not all data sets have been converted: then `main`."""
        return (self.revision_asked,) if self.files or self.revision else (PARQUET_BRANCH, "main")

    @property
    def patterns(self) -> tuple[str, ...]:
        """What its files are called in the repository: their names; or one of some patterns, the usual one first."""
        if self.files:
            return self.files
        published = f"{self.config or 'data'}/{self.split}-*.parquet"  # as `push_to_hub` names them
        return f"{self.config or 'default'}/{self.split}/*.parquet", published

    def __str__(self) -> str:
        parts = [f"config {self.config}" if self.config else "", f"split {self.split}" if self.split else ""]
        told = ", ".join(part for part in parts if part)
        return f"{self.repository} ({told})" if told else self.repository
