"""The model card of an adapter: what it was made from and how, its scores, how to use it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import basam
from basam.lab.tuning.recipe import TuneSettings
from basam.lab.tuning.sources import Portion
from basam.lab.tuning.validation import Scores
from basam.model import Adapter

TRAINED = {
    "bias": "slopes of the bias-mode mask only",
    "decoder": "mask decoder and slopes",
    "lora": "LoRA on the projections to queries, keys and values, and slopes",
    "full": "all weights and slopes",
}


def provenance(settings: TuneSettings, portions: Sequence[Portion], scores: Scores, sizes: str, device: str) -> dict[str, Any]:
    """Provenance for `mode.json`, plain JSON."""
    first, best, last = scores.scores[0], scores.best, scores.scores[-1]
    return {
        "tuned": settings.way,
        "base": settings.model,
        "data": [
            {
                "title": one.title,
                "photographs": len(one.train),
                "validated on": one.validated_on,
                "of which": len(one.val),
            }
            for one in portions
        ],
        **({} if settings.mask_values is None else {"mask values": settings.mask_values}),
        "trained on": "regions of prompts" if settings.focus else "whole photographs",
        "sizes": sizes,
        "steps": settings.steps,
        "schedule": settings.schedule,
        "done": last.step,
        "kept": best.step,
        "seconds": round(last.seconds, 1),
        "device": device,
        "seed": settings.seed,
        "validation": {"before": first.by_data, "kept": best.by_data, "interval of kept": best.intervals},
        "date": str(date.today()),
        "basam": basam.__version__,
    }


def card(adapter: Adapter, settings: TuneSettings, provenance: dict[str, Any], command: Sequence[str]) -> str:
    """README.md in the form that the Hugging Face hub reads."""
    name = adapter.base
    front = ["---", "library_name: basam", "pipeline_tag: mask-generation", "tags:", "- segment-anything", "- basam"]
    if name.count("/") == 1 and not name.startswith("."):
        front.append(f"base_model: {name}")
    before, kept, intervals = (provenance["validation"][name] for name in ("before", "kept", "interval of kept"))
    rows = [
        f"| {title} | {before.get(title, float('nan')):.4f} | {kept[title]:.4f} | "
        + (f"{intervals[title]:.4f} |" if title in intervals else "- |")
        for title in kept
    ]
    data = [
        f"- {one['title']}: {one['photographs']} photographs"
        + (f"; validated on {one['of which']}: {one['validated on']}" if one["of which"] else "")
        for one in provenance["data"]
    ]
    parts = [
        *front,
        "---",
        "",
        f"# Adapter of {name}",
        "",
        f"Tuned with `basam tune --tune {settings.way}`: {TRAINED[settings.way]}; {adapter.parameters:,} numbers. The base, "
        f"`{name}`, is not in here; the SHA-256 of its weights begins with `{adapter.base_sha256[:12]}`, and any other base "
        "is rejected.",
        "",
        "```python",
        "import basam",
        "",
        f'model = basam.load("{name}", adapter="THIS FOLDER")',
        "predictor = basam.Predictor(model)",
        "```",
        "",
        "## Training",
        "",
        *data,
        *([f"- values of masks: {provenance['mask values']}"] if "mask values" in provenance else []),
        "",
        f"{'Regions' if settings.focus else 'Long sides'} of {provenance['sizes']} px, {provenance['steps']} steps of "
        f"{settings.batch_size} photographs (step {provenance['kept']} "
        f"is kept), seed {provenance['seed']}, {provenance['seconds'] / 60:.1f} minutes on {provenance['device']}, "
        f"basam {provenance['basam']}, {provenance['date']}.",
        "",
        "```console",
        f"$ {' '.join(command)}" if command else f"$ basam tune --tune {settings.way} ...",
        "```",
        "",
        "## Validation",
        "",
        "Mean IoU on photographs that were not trained on, prompts being a box and a point of the ground truth"
        f"{', with focus' if settings.focus else ''}. The step with "
        "the highest mean was kept, so these figures are somewhat high; nothing was chosen on a test split. The last "
        "column is half the width of the 95 % interval over photographs.",
        "",
        "| data | before | tuned | ± |",
        "|---|---|---|---|",
        *rows,
        "",
    ]
    return "\n".join(parts)
