#!/usr/bin/env bash
# A Slurm of one node on loopback: `eval "$(tests/slurm/up.sh FOLDER)"` starts it and sets the
# environment of this shell. All it writes lies in FOLDER. It needs root and Debian's packages
# slurm-wlm and munge; tests/slurm/down.sh stops it.
set -euo pipefail
mkdir -p "$1"
folder=$(cd "$1" && pwd)
node=$(hostname -s)
cores=$(getconf _NPROCESSORS_ONLN)
memory=$(awk '/^MemTotal:/ { print int($2 * 0.9 / 1024) }' /proc/meminfo)
mkdir -p "$folder"/{bin,state,spool,log,munge}
chmod 755 "$folder" "$folder/munge" # munged refuses folders that others may write to

[ -s "$folder/munge/key" ] || (umask 077 && head --bytes=128 /dev/urandom > "$folder/munge/key")
munged --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" \
    --pid-file="$folder/munge/pid" --log-file="$folder/munge/log" --seed-file="$folder/munge/seed"

cat > "$folder/slurm.conf" << CONF
ClusterName=loopback
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
SlurmctldPort=${SLURMCTLD_PORT:-16817}
SlurmdPort=${SLURMD_PORT:-16818}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
MinJobAge=3600
MailProg=$(type -P true)
NodeName=$node NodeAddr=127.0.0.1 CPUs=$cores RealMemory=$memory State=UNKNOWN
PartitionName=main Nodes=$node Default=YES MaxTime=INFINITE State=UP
CONF

# The executor's job steps forget SLURM_CONF, and this Slurm is not where Slurm looks by itself.
printf '#!/bin/sh\nSLURM_CONF=%s exec %s "$@"\n' "$folder/slurm.conf" "$(type -P srun)" \
    > "$folder/bin/srun"
chmod +x "$folder/bin/srun"

export SLURM_CONF="$folder/slurm.conf"
slurmctld -c
slurmd
for _ in $(seq 100); do
    if sinfo --noheader --format=%t 2> /dev/null | grep -q idle; then
        echo "export SLURM_CONF='$SLURM_CONF' PATH='$folder/bin':\"\$PATH\""
        exit
    fi
    sleep 0.1
done
tail "$folder"/log/*.log >&2
echo "$0: Slurm did not start within 10 s" >&2
exit 1
