"""What users type wrongly, as a table: the words, and what they are answered with."""

from __future__ import annotations

from typing import NamedTuple

from tests.servers.gguf_file import U32, gguf

RUN = "run --benchmark human_eval"
SWEEP = "sweep --benchmark human_eval"
GOOD = f"{RUN} --model good.gguf"
CERTIFY = "certify --benchmark human_eval --model good.gguf"


class Wrong(NamedTuple):
    """words: separated by blanks; {here} is the folder. code: the exit code. message and hint: parts of them."""

    words: str
    code: int
    message: str
    hint: str


def _table(text: str) -> list[Wrong]:
    """A line for each: words | code | message | hint."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found = [[part.strip() for part in line.split(" | ")] for line in lines]
    return [Wrong(words, int(code), message, hint) for words, code, message, hint in found]


CASES = _table(f"""
# commands and options
leaderbord | 2 | there is no command 'leaderbord' | did you mean leaderboard?
runs | 2 | there is no command 'runs' | did you mean run?
quantise | 2 | there is no command 'quantise' | see `bench_runner.py --help`
cache stat | 2 | no such command 'stat' | `bench_runner.py cache --help`
suites lst | 2 | no such command 'lst' | `bench_runner.py suites --help`
suites show glew | 2 | there is no suite 'glew' | did you mean glue?
suites validate none.txt | 2 | there is no suite 'none.txt' | or a file FILE.yaml
run --benchmark glew | 2 | there is no benchmark 'glew' | did you mean glue?
run mine.yaml | 2 | 'mine.yaml' belongs to no option | give it as --benchmark mine.yaml
run --benchmark none | 2 | there is no benchmark 'none' | did you mean ./none.yaml?
run --benchmark none.yaml | 2 | none.yaml is not a suite | suites validate
tasks valid sums.yaml | 2 | no such command 'valid' | `bench_runner.py tasks --help`
{GOOD} --gpu-layer 3 | 2 | there is no option --gpu-layer | did you mean --gpu-layers?
{GOOD} --flash-attn on | 2 | there is no option --flash-attn | `-- --flash-attn`
{GOOD} -fa on | 2 | there is no option -fa | `-- -fa`
{GOOD} -ngl 80 | 2 | there is no option -ngl | did you mean --gpu-layers?
{GOOD} -c 8192 | 2 | there is no option -c | did you mean --ctx-size?
{GOOD} --n-gpu-layers 80 | 2 | there is no option --n-gpu-layers | did you mean --gpu-layers?
{GOOD} --temp 0.7 | 2 | there is no option --temp | did you mean --temperature?
{GOOD} --timeout 60 | 2 | there is no option --timeout | did you mean --request-timeout?
{GOOD} --gpu-layers | 2 | '--gpu-layers' requires an argument | `bench_runner.py run --help`
{SWEEP} good.gguf --flash-attn=on | 2 | there is no option --flash-attn | `-- --flash-attn=on`
{SWEEP} --model good.gguf | 2 | there is no option --model | models stand without an option
{RUN} good.gguf | 2 | 'good.gguf' belongs to no option | --model good.gguf
run human_eval | 2 | 'human_eval' belongs to no option | --benchmark human_eval
{GOOD} --gpu-layers 0 80 | 2 | '80' belongs to no option | an option has one value
{SWEEP} good.gguf --gpu-layers 0 80 | 2 | '80' belongs to no option | --gpu-layers 0,80
list --benchmark human_eval | 2 | there is no option --benchmark | `bench_runner.py list --help`
leaderboard human_eval | 2 | 'human_eval' belongs to no option | --benchmark human_eval
report --sweep last | 2 | there is no option --sweep | report [OPTIONS] [SWEEP|RUN...]
{RUN} --model= | 2 | --model: is empty | the shell's variable
list all | 2 | unexpected extra argument (all) | bench_runner.py list [OPTIONS]
show | 2 | RUN... is missing | bench_runner.py show [OPTIONS] RUN
compare last | 2 | B is missing | bench_runner.py compare [OPTIONS] A B
compare Big-Q8 Big-Q4 Other | 2 | unexpected extra argument (Other) | compare [OPTIONS] A B
compare Big-Q8 Big-Q4 --margin 5 | 2 | there is no option --margin | did you mean --fail-if-worse?
data fetch | 2 | SUITE... is missing | see `bench_runner.py data fetch --help`
completion powershell | 2 | 'powershell' is not one of bash, zsh, fish | `bench_runner.py completion --help`

# benchmarks
run | 2 | no --benchmark given | one of gsm8k, human_eval,
run --benchmark humaneval | 2 | there is no benchmark 'humaneval' | did you mean human_eval?
run --benchmark human_eval,gsm8k | 2 | 'human_eval,gsm8k' is not one of | `sweep` takes several
sweep good.gguf | 2 | has no benchmark | give --benchmark NAME, one of human_eval,
sweep good.gguf --benchmark humaneval | 2 | did you mean human_eval? | `bench_runner.py sweep --help`
leaderboard --benchmark humaneval | 2 | there is no benchmark 'humaneval' | did you mean human_eval?
leaderboard --benchmark zzz | 2 | there is no benchmark 'zzz' | one of gsm8k, human_eval,
{GOOD} --dataset q.jsonl | 2 | --dataset does not apply to --benchmark human_eval | lcb and gsm8k and mmlu
{GOOD} --max-cost 2 | 2 | a server of your own has no price | --max-tokens-total
{GOOD} --max-cost lots | 2 | --max-cost: 'lots' is not a number | give a number
{GOOD} --script sums.yaml --max-tokens-total 5 | 2 | --max-tokens-total is for our own scripts | at the provider
run --benchmark speed --model good.gguf --cache | 2 | --cache does not apply | leave --cache out
{GOOD} --tasks sums.yaml | 2 | --tasks does not apply | it belongs to tasks

# engines
{SWEEP} good.gguf --engine slrum | 2 | 'slrum' is not one of local, ssh | did you mean slurm?
{SWEEP} good.gguf --engine ssh --modal | 2 | --modal can't be combined with --engine ssh | leave out one of them
{SWEEP} good.gguf --engine ray --hosts a | 2 | --hosts is for --engine ssh | leave out --hosts
{SWEEP} good.gguf --results-store s3://b | 2 | --results-store needs an engine | add --engine NAME
{SWEEP} good.gguf --detach | 2 | runs on this machine end with this process | nohup
{SWEEP} good.gguf --engine ssh --hosts nowhere.invalid --detach --race | 2 | can't be combined with --race | nohup
sweep --deploy-engine | 2 | --deploy-engine needs an engine | --engine modal
attach gone | 2 | there is no sweep 'gone' | the latest are
engines check | 2 | no other machines | give --engine or --hosts
engines chek | 2 | no such command 'chek' | `bench_runner.py engines --help`

# choosing
recommend | 2 | MODELS... is missing | see `bench_runner.py recommend --help`
recommend good.gguf | 2 | no --benchmark given | one or several of
recommend good.gguf --benchmark human_evil | 2 | there is no benchmark 'human_evil' | did you mean human_eval?
recommend gone.gguf --benchmark human_eval | 2 | there is no model 'gone.gguf' | has
recommend good.gguf --benchmark human_eval --vram lots | 2 | --vram: "lots" is not a size | such as 24G
optimise --benchmark gsm8k | 2 | no --optimizer given | few_shot
watch-build | 2 | no --benchmark given | one of
watch-build --benchmark human_eval --binaries gone/*/llama-server | 2 | matches nothing | in quotes: --binaries
watch-build --benchmark human_eval --alarm-on noise | 2 | 'noise' is none of | `bench_runner.py watch-build --help`
certify --benchmark speed --with --parallel 4 | 2 | has no verdict for each sample | certify by benchmarks such as

# serve
keys add | 2 | USER is missing | see `bench_runner.py keys add --help`
keys add two words | 2 | unexpected extra argument (words) | `bench_runner.py keys add --help`
keys revoke 123 | 2 | there is no key with that id | `keys list`
index check | 6 | there is no index of | `bench_runner.py index rebuild`
index rebild | 2 | no such command 'rebild' | `bench_runner.py index --help`
keys log --limit 0 | 2 | --limit: 0 is out of range | `bench_runner.py keys log --help`
keys link | 2 | serve doesn't run on | bench_runner.py serve
serve --config gone.yaml | 2 | gone.yaml can't be read | did you mean
serve --database postgresql://me:secret@db/x | 2 | holds a password | $BENCH_DATABASE_URL
serve --database mysql://db/x | 2 | is no URL of PostgreSQL | postgresql://USER@HOST/DATABASE
serve --models-dir gone | 2 | there is no folder | your models
worker --config gone.yaml | 2 | gone.yaml can't be read | did you mean
worker --database mysql://db/x | 2 | is no URL of PostgreSQL | postgresql://USER@HOST/DATABASE
serve --host 0.0.0.0 | 2 | there is no key | keys add NAME
serve --allowed-host http://x | 2 | is not the name of a host | bench.example.com
serve --proxy 0.0.0.0/0 | 2 | everybody | the proxy's own address

# models
{RUN} --model goood.gguf | 2 | there is no model 'goood.gguf' | did you mean good.gguf?
{RUN} --model good | 2 | there is no model 'good' | did you mean good.gguf?
{RUN} --model *.gguf | 2 | a run has one model | `sweep '*.gguf' --benchmark ...`
{RUN} --model gone/x.gguf | 2 | there is no model 'gone/x.gguf' | there is no folder gone either
{RUN} --model qwen2.5:7b | 2 | there is no model 'qwen2.5:7b' | 11434 --model qwen2.5:7b
{RUN} --model page.gguf | 2 | page.gguf is not a GGUF file, it is a web page | /resolve/
{RUN} --model pointer.gguf | 2 | it is a Git LFS pointer | git lfs pull
{RUN} --model notes.txt | 2 | notes.txt is not a GGUF file | llama.cpp serves .gguf files
{RUN} --model empty.gguf | 2 | empty.gguf is empty | fetch the file again
{RUN} --model torn.gguf | 2 | truncated or damaged | fetch the file again
{RUN} --model big-00002-of-00003.gguf | 2 | is part 2 of 3 | give the first part
{RUN} --model hf | 2 | llama.cpp serves GGUF files, not hf | --server vllm
{RUN} --model hf --server lama.cpp | 2 | did you mean llama.cpp? | `bench_runner.py run --help`
{GOOD} --server vllm | 2 | not GGUF files: good.gguf | use --server llama.cpp
{RUN} --model nothing | 2 | nothing is a folder that contains no model | config.json
{RUN} --model hf:owner/name | 2 | is not a file on the Hub | hf:owner/name/file.gguf
{RUN} --model https://huggingface.co/a/b/blob/main/x.gguf | 2 | is a link, not a model | --model hf:a/b/x.gguf
{SWEEP} goood.gguf | 2 | there is no model | did you mean {{here}}/good.gguf?
{SWEEP} goood.gguf gaad.gguf | 2 | none of the 2 runs can start | did you mean {{here}}/good.gguf?
{SWEEP} bad*.gguf | 2 | bad*.gguf matches no model | {{here}} has
{SWEEP} nothing/*.gguf | 2 | matches no model in | give a .gguf file
models gone | 2 | gone is no folder | give the folder that has the models
fit gone.gguf | 2 | there is no model 'gone.gguf' | has
fit hf | 2 | hf is not a GGUF file | vLLM chooses by itself

# numbers and units
{GOOD} --gpu-layers all | 2 | --gpu-layers: 'all' is not a whole number | -1 is for all
{GOOD} --gpu-layers 24GB | 2 | --gpu-layers: '24GB' is not a whole number | give a number, -1 or more
{GOOD} --gpu-layers 0,80 | 2 | --gpu-layers: '0,80' is not a whole number | `sweep` takes several
{GOOD} --ctx-size 8k | 2 | --ctx-size: '8k' is not a whole number | write 8192
{GOOD} --ctx-size 10 | 2 | --ctx-size 10: llama.cpp gives a slot at least 256 | give 256 or more
{GOOD} --max-tokens 1e3 | 2 | --max-tokens: '1e3' is not a whole number | write 1000
{GOOD} --temperature 9 | 2 | --temperature: 9.0 is out of range: 0 to 5 | give a number, 0 to 5
{GOOD} --temperature 0,7 | 2 | --temperature: '0,7' is not a number | write 0.7
{GOOD} --limit all | 2 | --limit: 'all' is not a whole number | leave it out
{GOOD} --shards 0 | 2 | --shards: 0 is out of range: 1 to | give a number, 1 to
{GOOD} --shards 4 --limit 2 | 2 | --shards 4: 2 samples can't be split into 4 | give fewer shards
{GOOD} --shards 4 --max-cost 1 | 2 | nobody could hold --max-cost | leave --shards or --max-cost out
run --benchmark speed --model good.gguf --shards 4 | 2 | speed can't be split | leave --shards out
{SWEEP} good.gguf --race --shards 2 | 2 | is a part of a run that is split | leave out --race or --shards
{GOOD} --limit 0 | 2 | --limit: 0 is out of range: 1 to | give a number, 1 to
{GOOD} --request-timeout 10m | 2 | --request-timeout: '10m' is not a number | in seconds: 600
{SWEEP} good.gguf --gpu-layers all | 2 | "all" is not a whole number (-1 is for all) | sweep --help
{CERTIFY} | 2 | no acceleration given | name it last: --with --parallel 4
{CERTIFY} --with --limit 3 | 2 | changes what is asked | before --with
{CERTIFY} --model-draft gone.gguf --with -- -fa on | 2 | gone.gguf: no such | look into
{CERTIFY} --with --spec-type draft-simple | 2 | needs a draft | --model-draft FILE
{CERTIFY} --with --fit on | 2 | there is no option --fit | --
fit good.gguf --vram 24Q | 2 | --vram: "24Q" is not a size | such as 24G
fit good.gguf --ctx-size 1e3 | 2 | '1e3' is not a number of tokens | such as --ctx-size 8k
fit good.gguf --kv-type q9 | 2 | --kv-type q9: there is no such type | one of f32, f16,
fit good.gguf --vram 24 | 2 | --vram 24: that is 24 bytes | give a unit, such as 24G
leaderboard --price-per-kwh 0,30 | 2 | --price-per-kwh: '0,30' is not a number | write 0.30
leaderboard --price-per-kwh -1 | 2 | -1.0 is out of range: 0 to 1000 | leaderboard --help
fit good.gguf --parallel 0 | 2 | --parallel: 0 is out of range: 1 to 256 | `bench_runner.py fit --help`
run --benchmark lcb --start-date yesterday | 2 | 'yesterday' is not DAY, such as 2024-09-01 | run --help
run --benchmark speed --depths 8kb | 2 | '8kb' is not N,... | `bench_runner.py run --help`
leaderboard --since yesterday | 2 | --since 'yesterday' is not a time | such as 2026-11-21
prune --older-than 5 | 2 | --older-than '5' is not a time | 7d
prune --keep 10 | 2 | --keep '10' is no rule | last=50
{GOOD} --reuse --label x | 2 | --reuse can't be combined with --label | a reused run keeps its label
{GOOD} --notify zzz-no-program | 2 | --notify: there is no program zzz-no-program | give its path
{GOOD} --notify echo{{}}{{ID}} | 2 | --notify: | {{id}} {{status}} {{score}}
{GOOD} --price-per-kwh 30ct | 2 | --price-per-kwh: '30ct' is not a | `bench_runner.py run --help`
sweep --resume last --fresh | 2 | --fresh starts another sweep | leave out --resume
{GOOD} --weights corectness=1 | 2 | there is no part corectness; did you mean correctness? | the parts are
{GOOD} --weights correctness | 2 | --weights: 'correctness' is not PART=WEIGHT,... | such as correctness=40
{GOOD} --weights quality=-1 | 2 | --weights: the weight of quality is -1 | such as correctness=40
{GOOD} --speed-target-s 0 | 2 | 0 is out of range | more than 0
{GOOD} --speed-target-s 2 --speed-baseline last | 2 | exclude each other | one of them
{GOOD} --weights quality=1 --speed-target-s 2 | 2 | --speed-target-s changes nothing | correctness=80,speed=20
{GOOD} --speed-baseline zzz | 2 | --speed-baseline: there is no run 'zzz' | the latest are:
{GOOD} --scoring --scorer none.py | 2 | --scorer none.py: no such file | look into
{GOOD} --scorer notes.txt | 2 | can't be named 'notes.txt' | rename the file
run --benchmark gsm8k --model good.gguf --scoring | 2 | its answers are no programs | it is for human_eval
{RUN} --script my_eval.py --scoring | 2 | --scoring is for our own scripts | leave --scoring out
rescore last --weights mine=1 | 2 | there is no part mine | with --scorer FILE.py
{GOOD} --gate last --margin 5% | 2 | '5%' is not a number of points | `bench_runner.py run --help`

# choices
{GOOD} --sandbox docker | 2 | did you mean container? | run --help
rescore last --sandbox docker | 2 | --sandbox: 'docker' is not one of | did you mean container?
rejudge last --sandbox docker | 2 | --sandbox: 'docker' is not one of | did you mean container?
{GOOD} --prompt-style chatml | 2 | did you mean chat? | run --help
{GOOD} --parser jsn | 2 | did you mean json? | run --help
leaderboard --sort scor | 2 | --sort: 'scor' is not one of | did you mean score?

# files and folders
{RUN} --script my_evl.py | 2 | --script my_evl.py: no such file | did you mean {{here}}/my_eval.py?
{RUN} --script gone/my_eval.py | 2 | no such file | look for the folder {{here}}/gone
{RUN} --script nothing | 2 | --script nothing: Is a directory | give a regular file
{RUN} --script my_eval.py --script-args {{base_ur}} | 2 | unknown placeholder 'base_ur' | {{base_url}}
{GOOD} --parser ./zzz.py | 2 | zzz.py: no such file | look into {{here}}
{GOOD} --parser ./notes.txt | 2 | is not a Python file | docs/parsers.md
run --benchmark tasks --tasks sum.yaml | 2 | no such file | did you mean {{here}}/sums.yaml?
{GOOD} --server-binary llama-sever | 2 | --server-binary llama-sever: no such program | give the path
{GOOD} --server-binary ./notes.txt | 2 | ./notes.txt is not executable | chmod +x
{GOOD} --results-dir notes.txt | 2 | --results-dir: 'notes.txt' is a file | give a folder
{GOOD} --results-dir notes.txt/r | 6 | notes.txt/r/benchmark_results.json: Not a directory | choose another folder
leaderboard --csv nothing | 6 | cannot write nothing: Is a directory | the name of a file
leaderboard --csv gone/x.csv | 6 | cannot write gone/x.csv | make the folder gone
export last --archive x.tar | 2 | its name must end in .zip | such as x.zip
export last --per-sample x.txt | 2 | its name must end in .csv or .parquet | such as x.csv
export last | 2 | nothing to export | --archive FILE.zip
export last --site notes.txt | 2 | notes.txt is not a folder | name a new folder
merge gone | 2 | gone can't be read: no such file | it has no such file
merge gpu2:bench/results | 2 | can't be read: no such file | rsync -a gpu2:bench/results/
merge notes.txt | 2 | notes.txt is neither a folder nor an archive | FILE.zip
merge broken.zip | 6 | broken.zip is damaged | ask for it again
merge nothing | 2 | nothing has no runs | give a results folder
merge corrupt | 6 | 1 damaged run, so nothing was taken | get them again
merge newer | 6 | was written by a newer bench_runner (schema 99 | update bench_runner

# manifests
sweep | 2 | nothing says what to run | sweep 'models/*.gguf' --benchmark human_eval
sweep nightli.yaml | 2 | nightli.yaml can't be read | did you mean {{here}}/nightly.yaml?
sweep nightly.yaml | 2 | nightly.yaml:1: matrix.model: *.gguf2 matches no | {{here}} has
sweep nightly.yaml --gpu-layers 3 | 2 | --gpu-layers can't be combined with a manifest | `gpu_layers: 3`
sweep none.yaml | 2 | none.yaml:1: matrix: has no benchmark | give `benchmark: NAME`, one of human_eval,
sweep torn.yaml | 2 | torn.yaml:1: not valid YAML | `bench_runner.py schema`
sweep torn.json | 2 | torn.json:1: not valid JSON | `bench_runner.py schema`
sweep torn.toml | 2 | torn.toml:1: not valid TOML | `bench_runner.py schema`
sweep typo.yaml | 2 | there is no such setting; did you mean gpu_layers? | `bench_runner.py schema`
sweep units.yaml | 2 | units.yaml:1: matrix.ctx_size: "8k" is not a whole number (write 8192) | schema

# metrics of one's own
{RUN} --metrics absent.words | 2 | there is no absent.py in the current folder | FOLDER/FILE.FUNCTION
{RUN} --metrics words | 2 | 'words' is not FILE.FUNCTION | run --help

# servers' addresses
{RUN} --base-url htp://127.0.0.1 | 2 | is not the URL of a server | such as http://127.0.0.1:8080
{RUN} --base-url http://127.0.0.1:99999 | 2 | is not the URL of a server | such as http://127.0.0.1:8080
{RUN} --base-url http://u:p@127.0.0.1:1 | 2 | must not contain a password | OPENAI_API_KEY
{RUN} --base-url http://127.0.0.1:1 --gpu-layers 3 | 2 | --gpu-layers does not apply | llama.cpp
{RUN} --base-url http://127.0.0.1:1 --server vllm | 2 | --base-url goes with --server attach | leave --server vllm out
{RUN} --base-url http://127.0.0.1:1 -- -fa on | 2 | arguments can't be passed | leave out what stands after --
{RUN} --base-url 127.0.0.1:1/v1/chat/completions | 3 | no server answers at http://127.0.0.1:1 | start it
{GOOD} --server-command my-server | 2 | --server-command has no {{port}} | put {{port}} into it
{GOOD} -- --port 80 | 2 | --port can't be passed to the server | before the --

# runs and sweeps
show zzz | 2 | there is no run 'zzz' | the latest are:
show Big | 2 | 'Big' matches 2 runs | add a word
show last~99 | 2 | there are only | the oldest is last~
show last-1 | 2 | there is no run 'last-1' | last~1, the one before
show last --results-dir gone | 2 | there is no run 'last' | there are no runs yet
show last --results-dir corrupt | 6 | run.json is not a run record | it is damaged
show last --results-dir newer | 6 | written by a newer bench_runner (schema 99 | update bench_runner
show corrupt/{{broken}} | 2 | is not a run in | --results-dir {{here}}/corrupt
list --results-dir newer | 6 | written by a newer bench_runner | update bench_runner
show Big-Q8 --raw | 6 | script.out: No such file | was never written or has been removed
leaderboard --model zzz | 2 | no run has a model that fits 'zzz' | list
leaderboard --sweep zzz | 2 | there is no sweep 'zzz' | the latest are:
report zzz | 2 | there is no sweep 'zzz', and there is no run 'zzz' | the latest are:
report last --benchmark human_eval | 2 | names can't be combined with --benchmark | name the runs
report --benchmark gsm8k | 2 | no such run has succeeded | leaderboard --status any
compare Big-Q8 Other | 9 | not comparable, they differ in temperature 0.0 and 0.7 | run one of them again
compare Big-Q8 Failed | 9 | Failed-{{}} did not finish | --resume
compare Big-Q8 Big-Q8 | 2 | both names refer to the run | name two different runs
compare Big-Q8 Big-Q4 --show HumanEval/99 | 2 | has no answer to 'HumanEval/99' | it has 8 samples, such as
compare Big-Q8 Big-Q4 --show 3 --fail-if-worse | 2 | --show and --fail-if-worse | leave one of them out
inspect zzz | 2 | there is no run 'zzz' | the latest are:
inspect Big-Q8 HumanEval/99 | 2 | has no answer to 'HumanEval/99' | it has 8 samples, such as
inspect HumanEval/17 | 2 | HumanEval/17 is a sample, and no run is named | inspect last HumanEval/17
inspect Speed 1 | 6 | keeps no single answers | `show`
{GOOD} --resume zzz | 2 | there is no run 'zzz' | the latest are:
{GOOD} --gate Failed | 9 | did not finish | name another run
{GOOD} --margin 5 | 2 | --margin needs a run to compare with | add --gate RUN
rerun zzz | 2 | there is no run 'zzz' | the latest are:
rejudge Failed | 2 | did not finish | finish it first
rescore Failed | 2 | did not finish | finish it first
status zzz | 2 | there is no sweep 'zzz' | the latest are:
status last~9 | 2 | none is 'last~9' | the oldest is last
retry zzz | 2 | there is no sweep 'zzz' | the latest are:
cancel last | 2 | is not running | sweep --resume
sweep --resume last good.gguf | 2 | continues with the models that the sweep was started with | sweep --resume
sweep --resume last --temperature 1 | 2 | --temperature can't be changed by --resume | start another sweep
label last last | 2 | 'last' can't be a label | choose another
label zzz baseline | 2 | there is no run 'zzz' | the latest are:
note zzz good | 2 | there is no run 'zzz' | the latest are:
archive zzz* | 2 | no run fits 'zzz*' | list --archived
delete last | 2 | nobody can be asked | --yes
prune | 2 | nothing says what to prune | --older-than 30d
""")

FILES: dict[str, str | bytes] = {
    "good.gguf": gguf(), "torn.gguf": gguf()[:40], "empty.gguf": "",
    "big-00002-of-00003.gguf": gguf({"split.no": (U32, 1), "split.count": (U32, 3)}),
    "page.gguf": "<!DOCTYPE html><html>Log in</html>",
    "pointer.gguf": "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "hf/config.json": "{}", "hf/model.safetensors": bytes(8), "nothing/.keep": "",
    "my_eval.py": "", "sums.yaml": "", "notes.txt": "hello", "q.jsonl": "{}", "broken.zip": "no archive",
    "nightly.yaml": 'matrix: {model: "*.gguf2", benchmark: human_eval}', "none.yaml": "matrix: {model: good.gguf}",
    "torn.yaml": "matrix: {", "torn.json": '{"matrix": ', "torn.toml": "a = = 3",
    "typo.yaml": "matrix: {model: good.gguf, benchmark: human_eval, gpu_layer: 3}",
    "units.yaml": "matrix: {model: good.gguf, benchmark: human_eval, ctx_size: 8k}",
}  # fmt: skip
