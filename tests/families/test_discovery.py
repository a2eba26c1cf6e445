"""A family takes one folder, or an entry point of another package: found, recognised, attached without a change elsewhere."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import basam
from basam import families
from basam.families.attachment import Replaced
from tests.helpers.forked import Forked

ONE_FOLDER = '''
"""A SAM of one global layer, for a test."""
import torch
from torch import nn
from basam.families import Family, Geometry, Replaced

class Encoder(nn.Linear): ...

class Toy(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder(3, 3)

class AnySizeEncoder(Replaced, Encoder):
    def forward(self, pixels):
        self.basam.fit(pixels)
        return self.basam.factor * super().forward(pixels.movedim(1, -1))

class ToySam(Family):
    name = "Toy"
    def matches(self, model): return isinstance(model, Toy)
    def geometry(self, model): return Geometry(patch=2, trained_side=4, layers=1, global_layers=(0,), heads=1)
    def replacements(self, model): return [(model.encoder, AnySizeEncoder)]
    def recognises(self, path): return path.suffix == ".toy"
    def load(self, path): return Toy()
    def encoder(self, model): return model.encoder
    def encode(self, model, pixels): return model.encoder(pixels)
    def decode(self, model, features, prompts, *, multimask): raise NotImplementedError

FAMILY = ToySam()
'''


@pytest.fixture
def one_folder(tmp_path, monkeypatch):
    (tmp_path / "toy_sam").mkdir()
    (tmp_path / "toy_sam" / "__init__.py").write_text(ONE_FOLDER)
    (tmp_path / "model.toy").touch()
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    families.families.cache_clear()
    yield tmp_path / "model.toy"
    families.families.cache_clear()
    sys.modules.pop("basam.families.toy_sam", None)


def test_one_folder_is_all_that_a_family_needs(one_folder):
    model = basam.load(one_folder)
    assert type(model).__name__ == "Toy"
    basam.attach(model, basam.BiasMode(strength=1.0))
    assert isinstance(model.encoder, Replaced)
    family = families.family_of(model)
    pixels = torch.ones(1, 3, 16, 12)
    ratio = family.encode(model, pixels) / family.encode(basam.attach(model, basam.BiasMode.off()), pixels)
    torch.testing.assert_close(ratio, torch.full_like(ratio, basam.method.length_scale(48, 16)))
    with pytest.raises(basam.UnsupportedModelError, match=r"Linear is not a SAM .*Toy"):
        basam.attach(nn.Linear(2, 2))


def test_without_it_the_file_is_unknown(tmp_path):
    (tmp_path / "model.toy").write_bytes(b"toy")
    with pytest.raises(basam.UnsupportedModelError, match="no checkpoint"):
        basam.load(tmp_path / "model.toy")


def install(folder: Path, module: str, text: str) -> None:
    """What an installer leaves of a package with one module and one entry point."""
    (folder / f"{module}.py").write_text(text)
    about = folder / f"{module}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[basam.families]\n{module} = {module}:FAMILY\n")


def printed_with(folder: Path, code: str) -> list[str]:
    """Lines that `code` prints where `folder` is one of those that Python imports from."""
    process = Forked("-c", [f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"], folder / "output.txt")
    assert process.end() == 0, process.text
    return process.text.splitlines()


def test_another_package_registers_a_family_by_an_entry_point(tmp_path):
    install(tmp_path, "toy_sam", ONE_FOLDER)
    (tmp_path / "model.toy").touch()
    code = f"import basam; print(type(basam.attach(basam.load({str(tmp_path / 'model.toy')!r}))).__module__)"
    assert printed_with(tmp_path, code) == ["toy_sam"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise RuntimeError('no licence')", "no licence"),
        ("FAMILY = 3", "toy_sam:FAMILY is a int: a basam.families.Family with a name is needed"),
    ],
)
def test_a_broken_entry_point_is_named_and_the_others_go_on(tmp_path, text, reason):
    install(tmp_path, "toy_sam", text)
    lines = printed_with(tmp_path, "import basam; print(type(basam.load('nano')).__name__)")
    assert "SamModel" in lines
    assert "the family 'toy_sam' of the package toy_sam is left out" in "".join(lines)
    assert reason in "".join(lines)


def test_every_family_is_found():
    names = " ".join(family.name for family in families.families())
    assert all(name in names for name in ("transformers", "Meta", "MobileSAM", "EfficientSAM"))
