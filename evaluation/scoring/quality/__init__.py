"""Quality: a passing solution's lint findings, complexity, maintainability and length, beside its reference's."""
