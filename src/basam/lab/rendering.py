"""Tables for Markdown and for LaTeX, of cells that are texts already."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_LATEX = {"\\": r"\textbackslash{}", "±": r"$\pm$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_LATEX |= {sign: f"\\{sign}" for sign in "&%$#_{}"}


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lines of a Markdown table, without a line break at the end."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows))


def latex(header: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    r"""A LaTeX table for the package `booktabs`.

    Cells that begin and end with `**` are bold. The first column is aligned left, all others right.
    """
    body = [" & ".join(map(_cell, cells)) + r" \\" for cells in (header, *rows)]
    columns = "l" + "r" * (len(header) - 1)
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{_cell(caption)}}}", rf"\begin{{tabular}}{{{columns}}}", r"\toprule"]
    lines += [body[0], r"\midrule", *body[1:], r"\bottomrule", r"\end{tabular}", r"\end{table}"]
    return "\n".join(line for line in lines if caption or "caption" not in line) + "\n"


def _cell(text: str) -> str:
    bold = re.fullmatch(r"\*\*(.+)\*\*", text)
    if bold:
        return rf"\textbf{{{_cell(bold[1])}}}"
    return "".join(_LATEX.get(sign, sign) for sign in text)
