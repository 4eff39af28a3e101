# Holds the edge's listening sockets and keeps one edge running on them: connections wait in the kernel while there is none.
# usage: /bin/sh holder.sh PROGRAM [ARGUMENT…], with the sockets as file descriptors that PROGRAM is told of by its environment.
#
# An edge that dies is replaced at once. HUP replaces one that lives, such as by a newer version: another is started beside it, on the same sockets,
# and when that says by USR1 that it serves, the old one gets USR2: it takes nothing new, finishes what it has, and ends. A first line of
# $TMPDIR/program names the PROGRAM from then on. USR2 has the sockets "http" and "https" closed here, for an edge that is to take nothing from outside any
# more; USR1 tells it that they are. docs/decisions/0014-edge-workers.md and 0044-edges-on-chosen-machines.md have the reasons.

# Deaths in a row, each within this many seconds of the one before, that are dealt with here; more are for whoever supervises this.
most_deaths=3
within_s=60

hold() {
  first=$1
  shift
  current= next= again= stopping= deaths=0 died_at=0
  trap 'replace "$@"' HUP
  trap 'take_over "$@"' USR1
  trap 'stop' TERM INT
  trap 'release' USR2
  trap : QUIT
  start "$@"
  current=$started
  while :; do
    waited=$current
    wait "$waited"
    status=$?
    # A signal interrupts the wait; its trap has run by now.
    [ "$waited" = "$current" ] && ! kill -0 "$current" 2>/dev/null || continue
    [ "$stopping" ] && break
    if [ "$next" ] && kill -0 "$next" 2>/dev/null; then
      current=$next next=
      continue
    fi
    now=$(date +%s)
    [ $((now - died_at)) -le $within_s ] || deaths=0
    died_at=$now deaths=$((deaths + 1))
    [ $deaths -le $most_deaths ] || break
    start "$@"
    current=$started
  done
  # Those that are still finishing what they had.
  wait
  exit "$status"
}

start() {
  program=$first
  [ -r "$TMPDIR/program" ] && read -r program <"$TMPDIR/program"
  DROVER_HOLDER=$$ "$program" "$@" &
  started=$!
}

replace() {
  # One at a time; what is asked for meanwhile comes after it.
  if [ "$next" ] && kill -0 "$next" 2>/dev/null; then
    again=yes
    return
  fi
  start "$@"
  next=$started
}

take_over() {
  [ "$next" ] || return
  kill -USR2 "$current" 2>/dev/null
  current=$next next=
  [ -z "$again" ] || { again= && replace "$@"; }
}

release() {
  kept=
  separators=$IFS
  IFS=,
  for socket in $DROVER_SOCKETS; do
    case $socket in
      http=* | https=*) eval "exec ${socket#*=}>&-" ;;
      *) kept=$kept${kept:+,}$socket ;;
    esac
  done
  IFS=$separators
  DROVER_SOCKETS=$kept
  kill -USR1 "$current" $next 2>/dev/null
}

stop() {
  stopping=yes
  kill -TERM "$current" $next 2>/dev/null
}

# Read as a whole before anything of it runs: an upgrade may replace this file at any time.
hold "$@"
