#!/bin/sh
# Make a Python with Playwright and axe-core once, outside the project's own environment, then run the command.
#   .browser: Playwright drives the Chromium that is installed ($CHROMIUM, or the first of the names below) and
#             downloads none; axe-playwright-python carries axe-core (MPL-2.0; used by the tests, not shipped)
# Chromium comes from Debian's packages, if this is root on such a system; else the tests are skipped.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}

found() {
    for name in "${CHROMIUM:-}" /usr/bin/chromium chromium chromium-browser google-chrome; do
        [ -n "$name" ] && command -v "$name" && return
    done
    return 1
}
if ! found >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends \
        -o DPkg::Lock::Timeout=600 chromium >/dev/null || true
fi
if ! CHROMIUM=$(found); then
    echo "no Chromium (set CHROMIUM), and no root or apt to install it: tests of pages are skipped" >&2
    BROWSER_PYTHON=none
    export BROWSER_PYTHON
    exec "$@"
fi
pinned="playwright==1.65.2 axe-playwright-python==0.1.8"
if [ "$(cat .browser/.done 2>/dev/null)" != "$pinned" ]; then
    rm -rf .browser
    "$python" -m venv .browser
    # shellcheck disable=SC2086 # two words
    .browser/bin/pip install --quiet $pinned
    echo "$pinned" >.browser/.done
fi
BROWSER_PYTHON=$PWD/.browser/bin/python
export BROWSER_PYTHON CHROMIUM
exec "$@"
