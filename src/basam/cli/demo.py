"""`make demo`: the main job on a real photograph that scikit-image ships, with the embedded model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from basam.cli.console import say
from basam.errors import MissingExtraError
from basam.files import overlay, require, write_image, write_mask
from basam.predict import Predictor

# Boxes chosen by hand on scikit-image's photographs: the head of the astronaut and of the cat.
PHOTOS = {"astronaut": (150, 15, 300, 190), "chelsea": (100, 10, 390, 260)}


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photo", choices=sorted(PHOTOS), default="astronaut")
    parser.add_argument("--out", type=Path, default=Path("out/demo"))
    options = parser.parse_args(words)
    try:
        data = require("skimage.data", "demo")
    except MissingExtraError as error:
        parser.exit(2, f"error: {error}\n")
    photo = np.asarray(getattr(data, options.photo)())
    box = PHOTOS[options.photo]

    predictor = Predictor.from_pretrained("nano")
    predictor.set_image(photo)
    masks, scores, _ = predictor.predict(box=box, multimask_output=False)

    attachment = predictor.attachment
    mask_file, overlay_file = options.out / f"{options.photo}_mask.png", options.out / f"{options.photo}_overlay.png"
    write_mask(mask_file, masks[0])
    write_image(overlay_file, overlay(photo, masks))
    height, width = photo.shape[:2]
    times = attachment.tokens / attachment.geometry.trained_tokens
    say(
        f"photo    {options.photo} (scikit-image), {width} x {height} px, box {box}",
        f"tokens   {attachment.tokens}, {times:.2f} times the trained number; lambda {attachment.factor:.3f}",
        f"mask     {mask_file} ({masks[0].mean():.0%} of the photo, predicted IoU {scores[0]:.2f})",
        f"overlay  {overlay_file}",
    )


if __name__ == "__main__":
    main()
