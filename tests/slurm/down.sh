#!/usr/bin/env bash
# Stop the Slurm that tests/slurm/up.sh started in a folder: tests/slurm/down.sh FOLDER
set -euo pipefail
for daemon in slurmd.pid slurmctld.pid munge/pid; do
    if [ -f "$1/$daemon" ]; then kill "$(cat "$1/$daemon")" || true; fi
done
