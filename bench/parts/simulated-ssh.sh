#!/bin/sh
# Stands for `ssh` where more hosts are wanted than fit: each answers as a bare one would, takes what is copied, and does nothing with it. One that is
# started leaves a file of its name in $SIMULATED_HOSTS, for whoever links its agent. "dead" does not answer, "changed" shows another key than before.
master= host=
while [ $# -gt 0 ]; do
  case $1 in
    -M) master=yes ;;
    --) host=$2 && break ;;
  esac
  shift
done
case $host in
  dead) echo "ssh: connect to host dead port 22: Connection timed out" >&2 && exit 255 ;;
  changed)
    echo "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @" >&2
    echo "Host key for changed has changed and you have requested strict checking." >&2
    exit 255
    ;;
esac
if [ "$master" ]; then
  echo drover:connected
  exec cat >/dev/null
fi
read -r script
read -r verb
case $verb in
  login) echo drover:user=root drover:sudo=root | tr ' ' '\n' ;;
  facts)
    printf 'drover:%s\n' os=Linux "arch=$(uname -m)" kernel=6.1.0 "hostname=$host" "clock=$(date +%s)" 'libc=glibc 2.36' opt_kib=9000000 home_kib=9000000 \
      memory_kib=9000000 cgroup=2 init=systemd reaches=yes member= member_of= agent=
    ;;
  start) : >"$SIMULATED_HOSTS/$host" ;;
esac
cat >/dev/null
echo drover:end=yes
