# The parent of one instance: runs it once the agent says so, holds its output, and keeps its exit status for whoever comes.
# usage: /bin/sh shim.sh FOLDER PROGRAM [ARGUMENT…], with file descriptor 3 a socket to the agent.
#
# It is in the instance's session, process group and control groups. What it is told on 3: "run" makes a child that waits at a gate, "go" opens
# the gate, "bye" ends it. What it says there: "pid N", then "exit STATUS". After an exit it may be told to run once more: a restart then needs
# no new parent, no new pipe and no move into control groups. docs/decisions/0004-instance-seam.md has the reasons and the measurements.

# What the shell found in its environment it would hand on as changed here: its own variables have names that no app uses.
drover_folder=$1
shift
umask 077
# A core would be a copy of the instance's secrets on disk. Where a limit cannot be set there is none to lift.
ulimit -c 0 2>/dev/null
trap '' PIPE
# The agent signals the whole group: the parent has to outlive that to tell the exit status. The instance gets the default actions back.
trap : HUP INT QUIT TERM USR1 USR2

# Held open for reading and writing by parent and instance: no reader has to exist, and what nobody reads yet is kept, up to the pipe's size.
# Mostly the agent has put one there that it had spare.
[ -p "$drover_folder/out" ] || command -p mkfifo -m 600 "$drover_folder/out" || exit 127
exec </dev/null >/dev/null 2>&1 4<>"$drover_folder/out"

drover_has_run=
while :; do
  if ! read -r drover_word <&3; then
    # A signal interrupts the wait for a word; the end of the socket does so again at once.
    read -r drover_word <&3 || {
      # An agent that died before anything had run has left nothing to tell. Otherwise this process lives on, stopped, because with it the pipe
      # keeps its content: an agent that comes later reads the exit status, then the pipe, and ends it. That needs no child, timer or memory.
      [ "$drover_has_run" ] || exit 125
      kill -STOP $$
      continue
    }
  fi
  [ "$drover_word" = run ] || exit 0

  (
    # An agent that dies before "go" has recorded nothing, so nothing may be left: end of input ends the parent too.
    read -r drover_word <&3 && [ "$drover_word" = go ] || { kill -9 $$; exit 125; }
    trap - PIPE
    exec >&4 2>&4 3>&- 4>&-
    exec "$@"
  ) &
  drover_child=$!
  # Sockets that the agent handed on are the instance's alone: it may close them, and a port closes with the last who has it.
  exec 5>&- 6>&- 7>&- 8>&- 9>&-
  echo "pid $drover_child" >&3

  while :; do
    wait "$drover_child"
    drover_status=$?
    # A signal of the agent ends `wait` early; the instance is then still there.
    [ "$drover_status" -gt 128 ] && kill -0 "$drover_child" || break
  done
  drover_has_run=yes

  # One short write: a reader finds the whole line or no line end.
  echo "exit $drover_status" >"$drover_folder/exit"
  echo "exit $drover_status" >&3
done
