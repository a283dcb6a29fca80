"""What runc is asked for is cut down to what a machine without CAP_SYS_RESOURCE may do."""

import json

import pytest

from tests.cluster.runc_within_limits import files_in, rewrite

PROCESS = {"args": ["serve"], "oomScoreAdj": -998, "rlimits": [{"type": "RLIMIT_NOFILE"}]}
RELAXED = {"args": ["serve"], "oomScoreAdj": 0}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "config.json"


def test_a_bundle_keeps_all_but_limits_and_negative_scores(file):
    file.write_text(json.dumps({"hostname": "hat", "process": PROCESS}))
    rewrite(str(file))
    assert json.loads(file.read_text()) == {"hostname": "hat", "process": RELAXED}


def test_a_process_alone_is_relaxed_too(file):
    file.write_text(json.dumps(PROCESS))
    rewrite(str(file))
    assert json.loads(file.read_text()) == RELAXED


def test_a_score_that_makes_it_die_first_stays(file):
    file.write_text(json.dumps({"process": {"oomScoreAdj": 1000}}))
    rewrite(str(file))
    assert json.loads(file.read_text())["process"] == {"oomScoreAdj": 1000}


@pytest.mark.parametrize(
    ("words", "files"),
    [
        ("runc --root /r create --bundle /b hat", ["/b/config.json"]),
        ("runc exec --process /p.json hat ls", ["/p.json"]),
        ("runc kill hat 9", []),
    ],
)
def test_files_are_found_in_the_arguments(words, files):
    assert files_in(words.split()) == files
