"""`BiasMode.aspect` on every family: prompts and positions of an image that is not square."""

import torch

import basam
from basam.families import PromptTensors
from basam.families.registry import family_of


def encoded_points(model, height, width, points, aspect):
    """What the prompt encoder makes of points on a picture of height x width px."""
    seen = []
    hook = model.prompt_encoder.register_forward_hook(lambda module, args, out: seen.append(out))
    family = family_of(basam.attach(model, basam.BiasMode(aspect=aspect)))
    prompts = PromptTensors(torch.tensor([points]), torch.ones(1, len(points), dtype=torch.long))
    with torch.no_grad():
        family.decode(model, family.encode(model, torch.zeros(1, 3, height, width)), prompts, multimask=True)
    hook.remove()
    sparse = seen[0][0] if isinstance(seen[0], tuple) else seen[0]
    return sparse.reshape(-1, sparse.shape[-1])[: len(points)]


def test_each_axis_by_itself_or_the_long_side_for_both(each_model):
    family = family_of(each_model)
    side = 4 * family.geometry(each_model).multiple
    # The centre of pixel y of a picture half as high as wide lies where that of 2 y + 1/2 does in the square.
    low, high = [[5.0, 7.0], [20.0, 3.0]], [[5.0, 14.5], [20.0, 6.5]]
    whole = encoded_points(each_model, side, side, high, "square")
    torch.testing.assert_close(encoded_points(each_model, side // 2, side, low, "axes"), whole, atol=1e-5, rtol=1e-5)
    of_the_square = encoded_points(each_model, side, side, low, "axes")
    torch.testing.assert_close(encoded_points(each_model, side // 2, side, low, "square"), of_the_square, atol=1e-5, rtol=1e-5)
    own = family.geometry(each_model).aspect
    assert torch.equal(
        encoded_points(each_model, side // 2, side, low, None), encoded_points(each_model, side // 2, side, low, own)
    )


def test_the_encoder_knows_the_rule_too(each_model):
    family = family_of(each_model)
    step = 2 * family.geometry(each_model).multiple
    pixels = torch.randn(1, 3, step, 2 * step)
    for name, parameter in each_model.named_parameters():
        if "pos_embed" in name:  # zeros in a model that was not trained
            torch.nn.init.normal_(parameter)
    found = []
    for aspect in ("axes", "square"):
        basam.attach(each_model, basam.BiasMode(aspect=aspect))
        with torch.no_grad():
            found.append(family.embedding(family.encode(each_model, pixels)))
    if family.name == "MobileSAM":
        assert torch.equal(*found)  # windows only, without positions of the whole grid
    else:
        assert (found[0] - found[1]).abs().max() > 1e-4
