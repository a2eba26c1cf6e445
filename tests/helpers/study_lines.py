"""Lines of results as the study of studies/extrapolation.py writes them, by hand."""

from __future__ import annotations

from basam.lab.evaluation import Line
from studies.length_study.measuring import PROMPTS


def line(sample: str, size: int, method: str, prompt: str, *ious: float) -> Line:
    """One line; boundary IoU is half the IoU."""
    instances = [{"id": str(i), "metrics": {"iou": iou, "boundary_iou": iou / 2}} for i, iou in enumerate(ious)]
    return {"sample": sample, "size": size, "method": method, "prompt": prompt, "instances": instances, "seconds": 1.0}


def lines_for(sample: str, size: int, ious: dict[str, float]) -> list[Line]:
    """Lines of both prompts for the IoU of every configuration."""
    return [line(sample, size, method, prompt, iou) for method, iou in ious.items() for prompt in PROMPTS]
