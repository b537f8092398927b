#!/usr/bin/env bash
# In the machine: runs what the host says on the port "edgehose.control", and answers. A command is a line,
# "NUMBER BASE64"; its answer is "NUMBER CODE BASE64", the exit code and all that it printed. Says "ready
# BOOT_ID" first. It is root's shell, for whoever holds the other end of the port.
set -uo pipefail
port=/dev/virtio-ports/edgehose.control

exec 3<>"$port" || exit 1
echo "ready $(cat /proc/sys/kernel/random/boot_id)" >&3
while :; do
  # Nothing can be read while nobody holds the other end.
  if ! read -r number command <&3; then
    sleep 0.2
    continue
  fi
  # Not by way of a file: the file system may be full, or read-only.
  text=$(printf %s "$command" | base64 -d)
  output=$(bash -c "$text" 2>&1 </dev/null | base64 -w 0; exit "${PIPESTATUS[0]}")
  echo "$number $? $output" >&3
done
