"""`basam info`: nothing is downloaded without --download, and its figures are those of a run."""

import json
import shutil
import socket
from dataclasses import replace

import pytest
import torch
from typer.testing import CliRunner

import basam
from basam.cli import app
from basam.cli.info import attaching
from basam.families import LearnedSlopes, family_of
from basam.model import Adapter, downloads, model_info, own_mode, write_adapter
from tests.helpers.tiny import tiny_sam


def run(*arguments):
    return CliRunner().invoke(app, ["info", *arguments], env={"COLUMNS": "200"})


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path


@pytest.mark.parametrize("name", ["facebook/sam-vit-base", "sam_vit_b_01ec64"])
def test_a_model_that_is_not_there_is_not_downloaded(no_network, name):
    result = run(name)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: model '{name}'")
    assert f"`basam download {name}`" in result.stderr


def test_a_model_in_the_cache_of_the_hub_is_read_from_it(no_network):
    repository = no_network / "hub" / "models--someone--sam"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    snapshot = repository / "snapshots" / "abc"
    tiny_sam().save_pretrained(snapshot, max_shard_size="20KB")
    shutil.copy(snapshot / "model.safetensors.index.json", snapshot / "pytorch_model.bin.index.json")  # others keep both
    assert "SAM ViT 32 x 4" in run("someone/sam").output
    next(iter(snapshot.glob("*-00002-of-*.safetensors"))).unlink()
    result = run("someone/sam")
    assert result.exit_code == 2
    assert "`basam download someone/sam`" in result.stderr


def test_download_downloads_it(no_network, monkeypatch):
    def fetch(url, target, sha256, progress):
        raise downloads.DownloadError(f"{url}: was requested")

    monkeypatch.setattr(downloads, "fetch", fetch)
    result = run("mobile_sam", "--download")
    assert result.exit_code == 2
    assert "was requested" in result.stderr


def test_what_is_printed_is_public(tmp_path):
    found = model_info("nano")
    assert json.loads(run("nano", "--json").stdout) == json.loads(json.dumps(found.to_dict()))
    assert found.mode.mode == own_mode(basam.load("nano"))
    with pytest.raises(FileNotFoundError, match="absent"):
        model_info(tmp_path / "absent")


def test_parameters_are_those_of_the_live_model():
    """`run.json` holds what `describe` says."""
    model = basam.load("nano")
    described = family_of(model).describe(model).to_dict()
    shown = json.loads(run("nano", "--json").stdout)
    assert shown["parameters"] == described["parameters"]
    learnt = {name: p for name, p in model.named_parameters() if "positional_embedding" not in name}
    assert shown["parameters"] == sum(p.numel() for p in learnt.values())


def test_json_has_what_attaching_does():
    mode = own_mode(basam.load("nano"))
    trained, twice, four = json.loads(run("nano", "--json").stdout)["attached"]
    assert trained == {"long side": 256, "keys per query": 256, "q.k times": 1.0, "mask per patch": 0.0}
    assert (twice["long side"], four["long side"]) == (512, 1024)
    assert four["q.k times"] == pytest.approx(mode.factor(4096, 256))
    assert twice["mask per patch"] == pytest.approx(mode.effective_slope(1024, 256))
    assert four["keys per query"] == 4096
    assert f"{four['q.k times']:.3f} at 1024 px" in run("nano").output


def test_reach_bounds_the_keys_of_a_query_and_does_nothing_without_global_layers():
    known = model_info("nano")
    near = replace(known, mode=replace(known.mode, mode=basam.BiasMode(reach="trained")))
    assert [size["keys per query"] for size in near.corrections()] == [256, 256, 256]
    windows_only = replace(near.summary, geometry=replace(near.summary.geometry, global_layers=()))
    assert "reach has no effect" in attaching(replace(near, summary=windows_only))["keys per query"]


def test_an_adapter_shows_its_learned_slopes(tmp_path):
    slopes = LearnedSlopes(torch.tensor([[0.1, 0.25], [0.5, 0.0125]]))
    mode = basam.BiasMode(slopes="learned")
    write_adapter(tmp_path / "adapter", Adapter("base", "ab" * 32, mode, slopes), "card")
    result = run(str(tmp_path / "adapter"), "--plot", str(tmp_path / "slopes.png"))
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines()]
    assert ["0", "0.1750", "0.1000", "0.2500"] in rows
    assert ["1", "0.2562", "0.5000", "0.0125"] in rows
    assert (tmp_path / "slopes.png").read_bytes().startswith(b"\x89PNG")
    found = json.loads(run(str(tmp_path / "adapter"), "--json").output)
    assert found["base"] == "base"
    assert found["mode"]["slopes"] == "learned"
    assert [value for row in found["slopes"] for value in row] == pytest.approx([0.1, 0.25, 0.5, 0.0125])
    result = run("nano", "--plot", str(tmp_path / "other.png"))
    assert result.exit_code == 2
    assert "is not an adapter" in result.output
