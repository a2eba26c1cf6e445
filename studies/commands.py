"""Commands of this package as a study runs them."""

from __future__ import annotations

import shlex
import subprocess
import sys


def basam(words: list[str]) -> None:
    """Run a command of this package; an error ends the script."""
    print("basam", shlex.join(words), flush=True)
    code = subprocess.run([sys.executable, "-m", "basam", *words]).returncode
    if code not in (0, 1):  # 1: files that could not be read, which the report names
        raise SystemExit(f"exit {code}: basam {shlex.join(words)}")
