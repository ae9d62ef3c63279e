#!/bin/sh
# Find PostgreSQL's programs, install Debian's packages if this is root on such a system, then run the command.
# The tests make throw-away clusters in folders of their own; without these programs, those tests are skipped.
set -eu
found() {
    for folder in /usr/lib/postgresql/*/bin; do
        [ -x "$folder/initdb" ] && echo "$folder" && return
    done
    command -v initdb >/dev/null && dirname "$(command -v initdb)"
}
if ! found >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends \
        -o DPkg::Lock::Timeout=600 postgresql >/dev/null || true
fi
if POSTGRES_BIN=$(found); then
    export POSTGRES_BIN
else
    echo "no PostgreSQL, and no root or apt to install it: its tests are skipped" >&2
fi
exec "$@"
