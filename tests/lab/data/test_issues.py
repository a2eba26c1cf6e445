"""Issues: counts, policies, text and JSON."""

import pickle

import pytest

from basam.lab.data import Issue, Issues, SampleError


def test_an_unknown_problem_is_an_error():
    with pytest.raises(ValueError, match="problem='typo': known are unreadable-image"):
        Issue("typo", "a.png")


def test_lines_name_problem_policy_and_places():
    issues = Issues(Issue("crowd", f"annotation {number}") for number in range(5))
    issues.add(Issue("unreadable-image", "a.jpg", "truncated"))
    assert issues.lines() == [
        "1 x image cannot be read [broken]: a.jpg",
        "5 x crowd annotation [ignored]: annotation 0, annotation 1, annotation 2, ...",
    ]
    assert [str(issue) for issue in issues.broken] == ["a.jpg: image cannot be read (truncated)"]


def test_issues_survive_json_and_errors_survive_processes():
    issue = Issue("size-mismatch", "a.jpg", "1 x 1")
    assert [Issue(**entry) for entry in Issues([issue]).to_list()] == [issue]
    error = pickle.loads(pickle.dumps(SampleError(issue)))
    assert error.issue == issue
    assert str(error) == str(issue)
