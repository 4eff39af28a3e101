#!/bin/sh
# Starts the SSH server of a test host, inside of it, as its system does when it is switched on: ssh-host.sh SSHD KEYS, with the program and a folder with
# the host's key. What the host keeps while it is off is ssh-host-disk.sh's.
set -eu
sshd=$1 keys=$2
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/sshd
# All hosts share the machine's control groups, by the same names: each would end what the others run. So they have none.
mount -t tmpfs -o mode=555 tmpfs /sys/fs/cgroup
# Several ports, so that one host can stand for several.
printf '%s\n' 'Port 22' 'Port 23' 'Port 24' 'Port 25' 'Port 26' "HostKey $keys/host" 'PidFile none' 'UsePAM no' 'PasswordAuthentication no' 'PermitRootLogin prohibit-password' 'UseDNS no' \
  'StrictModes no' 'LogLevel VERBOSE' >/run/sshd_config
exec "$sshd" -D -e -f /run/sshd_config
