"""`python -m studies.pretrain OUT`: train nano; started again in the same folder it resumes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def main(
    out: Annotated[Path, typer.Argument(help="Run folder; a run in it resumes.", show_default=False)],
    data: Annotated[Path | None, typer.Option(help="Folder of COCO and standin-DUTS; none: scenes only.")] = None,
    start: Annotated[str | None, typer.Option("--init", help="Model to start from.", show_default="random weights")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps in all; more of them extend a run.")] = 8000,
    decay: Annotated[int, typer.Option(min=0, help="Last steps, over which the learning rate falls.")] = 1500,
    batch: Annotated[int, typer.Option(min=1, help="Pictures a step.")] = 16,
    prompts: Annotated[int, typer.Option(min=1, help="Boxes for a picture, and as many clicks.")] = 3,
    distinct: Annotated[int | None, typer.Option(min=1, help="Learn so many views by heart.", show_default="new ones")] = None,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 6e-4,
    warmup: Annotated[int, typer.Option(min=0, help="First steps, over which it rises.")] = 200,
    scenes: Annotated[int, typer.Option(min=1, help="Generated scenes.")] = 10_000,
    cache: Annotated[Path | None, typer.Option(help="Where rendered scenes are kept.", show_default="OUT")] = None,
    precision: Annotated[Literal["no", "bf16", "fp16"], typer.Option(help="Of the image encoder.")] = "bf16",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that make batches.")] = 1,
    save_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 250,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Train the embedded SAM at 256 px on generated scenes and, with --data, on photographs.

    OUT gets checkpoint.pt, TensorBoard's files in logs/ and, every --save-every steps, the model in nano/ (averaged weights).
    Killed at any moment and started again with the same options, the run resumes on the same curve. With more --steps it
    continues from where the rate began to fall; to end it early, give the steps it has and those of the decay.
    """
    from basam.cli import one_line_errors
    from studies.pretrain.training import pretrain

    with one_line_errors(resumes=True):
        pretrain(
            out,
            data=data,
            start=start,
            steps=steps,
            decay=decay,
            batch=batch,
            prompts=prompts,
            distinct=distinct,
            rate=rate,
            warmup=warmup,
            scenes=scenes,
            cache=cache or out,
            precision=precision,
            device=device,
            workers=workers,
            save_every=save_every,
            seed=seed,
        )


if __name__ == "__main__":
    typer.run(main)
