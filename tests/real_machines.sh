#!/bin/sh
# Install Debian's Slurm and OpenSSH server if this is root on such a system and they aren't there, then run the command.
# The tests start daemons of their own in throw-away folders; without these programs, those tests are skipped.
set -eu
PATH=$PATH:/usr/sbin
export PATH
found() {
    for program in munged slurmctld slurmd sbatch squeue scancel sinfo sshd ssh ip; do
        command -v "$program" >/dev/null || return 1
    done
}
install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends \
        -o DPkg::Lock::Timeout=600 munge slurmctld slurmd slurm-client openssh-server openssh-client iproute2 >/dev/null
}
if ! found && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # Its packages would start daemons for the whole system, which nobody has configured.
    policy=/usr/sbin/policy-rc.d
    [ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && ours=yes; }
    install 2>/dev/null || { apt-get update -qq && install; } || true
    [ -z "${ours:-}" ] || rm -f "$policy"
fi
found || echo "no Slurm or sshd, and no root or apt to install them: their tests are skipped" >&2
exec "$@"
