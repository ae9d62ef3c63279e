"""serve.yaml: every mistake in it is told at once, with its line, and options beat it."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands.serving.options import read_config, repeated
from results.errors import UsageError
from web.config import Limits
from web.config_file import read_serve_file, require_no_password

PAGE = Path(__file__).parents[2] / "docs" / "serve.md"


@pytest.fixture
def write(tmp_path):
    def written(text):
        file = tmp_path / "serve.yaml"
        file.write_text(text)
        return file

    return written


def config_of(file, **options):
    return read_config({"config": file, **options})


def test_the_file_of_the_page_is_read(write, tmp_path):
    text = PAGE.read_text().split("```yaml\n")[1].split("```")[0]
    (tmp_path / "questions.jsonl").touch()
    (tmp_path / "models").mkdir()
    text = text.replace("/data/questions.jsonl", "questions.jsonl").replace("/models ", "models ")
    text = text.replace("my-notifier {id}", "true {id}")
    found = config_of(write(text))
    assert found.limits == Limits()
    assert found.models_dir == tmp_path / "models"
    assert found.data == {"questions": tmp_path / "questions.jsonl"}
    assert found.servers["fast"] == {"server": "llama.cpp", "gpu_layers": 99, "parallel": 4}
    assert found.providers == {"openai": {}}
    assert found.engines == {"lab": {"name": "ssh", "hosts": str(tmp_path / "hosts.yaml")}}
    assert found.allowed_hosts == ("bench.example.com",)


def test_every_mistake_has_its_line(write):
    file = write("""\
models_dir: gone
ports: 80
port: 99999
servers:
  fast: {gpu_layer: 99}
  slow: {parallel: 0, benchmark: human_eval}
  "../up": {parallel: 1}
providers:
  mine: {server_args: ["--api-key", "abcdefgh"]}
data:
  questions: gone.jsonl
allowed_hosts: ["http://x", "*"]
proxies: [everybody, 0.0.0.0/0]
limits:
  jobs_at_once: none
database: postgresql://me:secret@db/bench
notify: there-is-no-such-program
""")
    with pytest.raises(UsageError) as refused:
        read_serve_file(file)
    told = refused.value.message
    for line, text in {
        1: "models_dir: there is no such folder",
        2: "ports: is not a field of the format; did you mean port?",
        3: "port: 99999 must be at most 65535",
        5: "servers.fast.gpu_layer: there is no such setting; did you mean gpu_layers?",
        6: "servers.slow.benchmark: is for the request to say",
        7: "servers.../up: '../up' as a name does not match",
        9: "providers.mine.server_args: holds a key or password",
        11: "data.questions: there is no such file",
        12: "allowed_hosts[1]: '*' is not the name of a host",
        13: "proxies[1]: that network is everybody",
        15: "limits.jobs_at_once: must be a whole number",
        16: "database: it holds a password",
        17: "notify: --notify: there is no program",
    }.items():
        assert f"serve.yaml:{line}: {text}" in told, told
    assert "secret" not in told
    assert "abcdefgh" not in told


def test_engines_are_checked_as_in_a_manifest(write, tmp_path):
    found = config_of(
        write("engines: {lab: {name: ssh, hosts: hosts.yaml}, big: {name: slurm, partition: gpu}}\n")
    )
    assert found.engines == {
        "lab": {"name": "ssh", "hosts": str(tmp_path / "hosts.yaml")},
        "big": {"name": "slurm", "partition": "gpu"},
    }
    file = write("""\
engines:
  lab: {name: shh}
  big: {name: slurm, partitoin: gpu}
  here: {name: local}
  key: {name: slurm, options: ["--api-key=abcdefgh"]}
""")
    with pytest.raises(UsageError) as refused:
        read_serve_file(file)
    told = refused.value.message
    for line, text in {
        2: "engines.lab.name: there is no such engine; did you mean ssh?",
        3: "engines.big.partitoin: is not a field of the format; did you mean partition?",
        4: "engines.here: jobs run on this machine without an engine",
        5: "engines.key.options[0]: the sweep's folder would keep the secret",
    }.items():
        assert f"serve.yaml:{line}: {text}" in told, told
    assert "abcdefgh" not in told


@pytest.mark.parametrize("text", ["[1, 2]", "models_dir: [a]", "a: b: c", "limits: 3", "servers: [a]"])
def test_another_shape_is_refused(write, text):
    with pytest.raises(UsageError, match=r"serve\.yaml"):
        read_serve_file(write(text))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p/w@host/db",
        "postgresql://u:p@w@host/db",
        "postgresql://u@x:p@host/db",
        "postgres://:p@host/db",
        "postgresql://u@host/db?password=p",
        "postgresql://u@host/db?sslmode=require&PassWord=p",
        "postgresql://u@host/db?%70assword=p",
        "postgresql://host/db?sslpassword=p",
    ],
)
def test_a_password_in_any_form_is_refused(url):
    with pytest.raises(UsageError, match="holds a password"):
        require_no_password(url, "--database")


@pytest.mark.parametrize("url", ["mysql://host/db", "postgresql://host:port/db", "nothing", ""])
def test_what_is_no_url_of_postgresql_is_refused(url):
    with pytest.raises(UsageError, match="no URL of PostgreSQL"):
        require_no_password(url, "--database")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///db",
        "postgresql://u@[::1]:5432/db?passfile=/run/pass",
        "postgres://u:@host/db",
        "postgresql:///db?host=/run/postgresql&user=u",
    ],
)
def test_without_a_password_it_is_taken(url):
    assert require_no_password(url, "--database") == url


def test_an_empty_file_says_nothing(write):
    assert config_of(write("# nothing yet\n")).limits == Limits()


def test_options_beat_the_file(write, tmp_path, monkeypatch):
    monkeypatch.delenv("BENCH_DATABASE_URL", raising=False)
    for name in ("a", "b", "models", "others"):
        (tmp_path / name).mkdir()
    file = write("results_dir: a\nmodels_dir: models\ndatabase: postgresql://db/one\nport: 1234\n")
    assert config_of(file).results_dir == tmp_path / "a"
    assert config_of(file).state_dir == tmp_path / "a" / ".serve"
    found = config_of(
        file, results_dir=tmp_path / "b", models_dir=tmp_path / "others", database="postgresql://db/two"
    )
    assert found.results_dir == tmp_path / "b"
    assert found.state_dir == tmp_path / "b" / ".serve"
    assert found.models_dir == tmp_path / "others"
    assert found.database_url == "postgresql://db/two"
    assert found.port == 1234


def test_a_worker_gets_the_same_places_and_no_password(write, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_DATABASE_URL", "postgresql://me:secret@db/bench")
    (tmp_path / "models").mkdir()
    options = {"config": write("limits: {jobs_at_once: 7}"), "models_dir": tmp_path / "models"}
    found = read_config(options)
    assert found.database_url == "postgresql://me:secret@db/bench"
    words = repeated(options, found)
    assert "secret" not in " ".join(words)
    given = {
        name[2:].replace("-", "_"): Path(value) for name, value in zip(words[::2], words[1::2], strict=True)
    }
    assert read_config(given) == found
