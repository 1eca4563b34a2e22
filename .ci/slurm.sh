#!/usr/bin/env bash
# A throw-away Slurm of one node, this machine, for the tests; needs root and Debian's packages.
#
#   eval "$(.ci/slurm.sh start)"    installs what is missing, starts it, and sets HSTORE_TEST_SLURM
#   .ci/slurm.sh stop               stops the daemons that it started and removes its files
#
# Where it cannot be had, start says why on standard error and sets nothing: tests that need it skip themselves.
set -euo pipefail

folder=${HSTORE_SLURM_DIR:-/var/tmp/hstore-ci-slurm}
node=$(hostname -s)

say() { printf 'slurm.sh: %s\n' "$*" >&2; }
skip() { say "skipped: $*; tests on Slurm will be skipped"; exit 0; }

wait_for() { # wait_for SECONDS COMMAND...: true as soon as the command is
    local tries=$(($1 * 5))
    shift
    while ! "$@" >/dev/null 2>&1; do
        ((tries-- > 0)) || return 1
        sleep 0.2
    done
}

install_packages() {
    command -v apt-get >/dev/null || skip "no Slurm here and no apt-get to install it"
    say "installing Slurm with apt-get"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        slurmctld slurmd slurm-client munge; } >&2 || skip "apt-get could not install Slurm"
}

write_configuration() {
    mkdir -p "$folder"/state "$folder"/spool /etc/slurm
    cat >"$folder/slurm.conf" <<CONF
ClusterName=hstore
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
# There is neither systemd nor a tree of control groups, and no record of jobs.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
KillWait=3
ReturnToService=2
NodeName=$node NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=test Nodes=$node Default=YES State=UP
CONF
    printf 'CgroupAutomount=no\n' >"$folder/cgroup.conf"
    ln -sfn "$folder/slurm.conf" /etc/slurm/slurm.conf
    ln -sfn "$folder/cgroup.conf" /etc/slurm/cgroup.conf
}

start_munge() {
    munge -n </dev/null 2>/dev/null | unmunge >/dev/null 2>&1 && return
    install -d -m 0755 -o munge -g munge /run/munge
    install -d -m 0700 -o munge -g munge /etc/munge /var/log/munge /var/lib/munge
    [[ -s /etc/munge/munge.key ]] || head -c 1024 /dev/urandom >/etc/munge/munge.key
    chown munge:munge /etc/munge/munge.key
    chmod 0400 /etc/munge/munge.key
    runuser -u munge -- /usr/sbin/munged --force >&2
    cp /run/munge/munged.pid "$folder/munged.pid"
}

idle() { [[ $(sinfo -h -o %t 2>/dev/null | head -n 1) =~ ^(idle|mix|alloc) ]]; }
ended() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:\sZ' "/proc/$1/status"; }
answers() { munge -n </dev/null | unmunge; }

start() {
    if idle; then echo "export HSTORE_TEST_SLURM=1"; return; fi
    [[ $(id -u) -eq 0 ]] || skip "Slurm is started by root only"
    command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v munged >/dev/null || install_packages
    [[ ! -e /etc/slurm/slurm.conf || -L /etc/slurm/slurm.conf ]] || skip "this machine has a Slurm of its own"
    write_configuration
    start_munge
    wait_for 10 answers || skip "munge does not answer"
    slurmctld -c >&2 || skip "slurmctld does not start"
    wait_for 20 scontrol ping || skip "slurmctld does not answer"
    slurmd -N "$node" >&2 || skip "slurmd does not start"
    wait_for 30 idle || { tail -n 5 "$folder"/*.log >&2; skip "the node does not become idle"; }
    say "$(sinfo --version), one node, files in $folder"
    echo "export HSTORE_TEST_SLURM=1"
}

stop() {
    local daemon pid
    [[ -d $folder ]] || { say "nothing to stop in $folder"; return; }
    for daemon in slurmd slurmctld munged; do
        pid=$(cat "$folder/$daemon.pid" 2>/dev/null) || continue
        [[ $(cat "/proc/$pid/comm" 2>/dev/null) == "$daemon" ]] || continue
        kill "$pid"
        wait_for 10 ended "$pid" || say "$daemon does not end"
    done
    rm -rf "$folder"
    say "stopped, $folder removed"
}

case ${1:-} in
    start | stop) "$1" ;;
    *) say "usage: eval \"\$(.ci/slurm.sh start)\" or .ci/slurm.sh stop"; exit 2 ;;
esac
