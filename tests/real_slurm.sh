#!/bin/sh
# Install Debian's Slurm if this is root on such a system and it isn't there, then run the command.
# The tests start daemons of their own in a throw-away folder; without these programs, those tests are skipped.
set -eu
PATH=$PATH:/usr/sbin
export PATH
found() {
    for program in munged slurmctld slurmd sbatch squeue scancel sinfo; do
        command -v "$program" >/dev/null || return 1
    done
}
if ! found && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # Its packages would start daemons for the whole system, which nobody has configured.
    policy=/usr/sbin/policy-rc.d
    [ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && ours=yes; }
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends \
        -o DPkg::Lock::Timeout=600 munge slurmctld slurmd slurm-client >/dev/null || true
    [ -z "${ours:-}" ] || rm -f "$policy"
fi
found || echo "no Slurm, and no root or apt to install it: its tests are skipped" >&2
exec "$@"
