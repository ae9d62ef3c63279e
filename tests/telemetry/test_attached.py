"""A server that somebody else runs on this machine is measured as one of ours is, and one elsewhere is not."""

from __future__ import annotations

import os

from runner.attached import AttachedServer
from settings.base_url import parse_base_url
from tests.command_line import bench_runner, logged
from tests.evaluation.running_servers import canonical_server


def test_whoever_listens_is_found_with_its_children():
    with canonical_server() as url:
        tree = AttachedServer(parse_base_url(url)).tree()
        assert len(tree) == 1
        assert os.getpid() not in tree
    assert AttachedServer(parse_base_url(url)).tree() == set()
    assert AttachedServer(parse_base_url("https://example.org/v1")).tree() == set()
    assert AttachedServer(parse_base_url("http://example.org:8080/v1")).tree() == set()


def test_its_processes_are_in_the_record(tmp_path):
    with canonical_server() as url:
        run = ("run", "--benchmark", "human_eval", "--base-url", url, "--limit", 4, "--results-dir", tmp_path)
        done = bench_runner(*run)
    assert done.code == 0, done.err
    (record,) = logged(tmp_path)
    assert record["telemetry"]["phases"]["generate"]["processes"]["most"] == 1
    assert record["telemetry"]["memory_left_bytes"] is None
