"""`basam download`."""

import pytest
from typer.testing import CliRunner

from basam.cli import app
from basam.model import downloads


def run(*arguments):
    return CliRunner().invoke(app, ["download", *arguments])


def test_the_known_files_are_listed():
    for arguments in ([], ["--list"]):
        result = run(*arguments)
        assert result.exit_code == 0
        assert "sam_vit_b_01ec64  https://dl.fbaipublicfiles.com" in result.output


def test_a_name_is_downloaded_and_its_place_printed(tmp_path, monkeypatch):
    file = tmp_path / "sam.pth"

    def fetch(url, target, sha256, progress):
        progress(5, 10)
        return file

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(downloads, "fetch", fetch)
    result = run("mobile_sam")
    assert result.exit_code == 0
    assert result.stdout.strip() == str(file)


@pytest.mark.parametrize(
    ("name", "message"), [("nothing", "model 'nothing': neither an embedded model"), ("some/where/else", "nor a hub name")]
)
def test_an_unknown_name_is_an_error(name, message):
    result = run(name)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_the_other_names_go_on_after_one_that_failed(tmp_path, monkeypatch):
    file = tmp_path / "sam.pth"

    def fetch(url, target, sha256, progress):
        if "mobile" in url:
            raise downloads.DownloadError(f"{url}: the server answers 404")
        return file

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(downloads, "fetch", fetch)
    result = run("mobile_sam", "nothing", "efficient_sam_vitt")
    assert result.exit_code == 1
    assert result.stdout.strip() == str(file)
    failed = result.stderr.strip().splitlines()
    assert [line.partition(": ")[0] for line in failed] == ["failed", "failed"]
    assert failed[0].startswith("failed: mobile_sam: https://")
    assert failed[1].startswith("failed: nothing: model 'nothing': neither")
    assert run("mobile_sam", "nothing").exit_code == 2
