"""Length extrapolation of a small SAM, shown: makes the tables and plots of docs/results/extrapolation.md.

    python -m studies.extrapolation                    # measure what is missing, then page and plots
    python -m studies.extrapolation --minutes 30       # stop after half an hour; the next call resumes
    python -m studies.extrapolation --plan             # how long each stage will take, by what has been measured
    python -m studies.extrapolation --page             # page and plots from what has been measured

Results are appended to runs/extrapolation/per_image.jsonl; nothing is measured twice. docs/results/extrapolation.md says what
is measured and how settings are chosen; the stages are those of `length_study.plan`.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/extrapolation"))
    parser.add_argument("--docs", type=Path, default=Path("docs/results"), help="folder of extrapolation.md and images/")
    parser.add_argument("--model", default="nano", help="one trained at 256 px")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="photographs; left out where it is absent")
    parser.add_argument("--units", type=int, default=200, help="pictures of each generated point")
    parser.add_argument("--large-units", type=int, default=60, help="of them, those over 512 px that come first")
    parser.add_argument("--few-units", type=int, default=20, help="pictures for entropy, and for float32")
    parser.add_argument("--photos", type=int, help="photographs per set; all by default")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes, of one thread each")
    parser.add_argument("--minutes", type=float, help="begin nothing new after so many")
    parser.add_argument("--plan", action="store_true", help="measure nothing, print what is to be done")
    parser.add_argument("--page", action="store_true", help="measure nothing, write page and plots")
    options = parser.parse_args()
    os.chdir(ROOT)

    from studies.length_study.page import write_page
    from studies.length_study.plan import Amounts
    from studies.length_study.running import Run

    amounts = Amounts(options.units, options.large_units, options.few_units, options.photos)
    run = Run(options.out, options.model, options.data if options.data.is_dir() else None, amounts)
    if options.plan:
        run.print_plan(options.workers)
        return
    if not options.page:
        run.measure(options.workers, options.minutes)
    write_page(run, options.docs)


if __name__ == "__main__":
    main()
