# The parent of one instance: runs it once the agent says so, holds its output, and keeps its exit status for whoever comes.
# usage: /bin/sh shim.sh FOLDER PROGRAM [ARGUMENT…], with file descriptor 3 a socket to the agent.
#
# It lives outside the instance's limits, in the instance's session and process group. What it says on 3: "pid N", then "exit STATUS".
# What it is told there: "go", and at the end "bye". docs/decisions/0004-instance-seam.md has the reasons and the measurements.
folder=$1
shift
umask 077
# A core would be a copy of the instance's secrets on disk. Where a limit cannot be set there is none to lift.
ulimit -c 0 2>/dev/null
trap '' PIPE
# The agent signals the whole group: the parent has to outlive that to tell the exit status. The instance gets the default actions back.
trap : HUP INT QUIT TERM USR1 USR2

# Held open for reading and writing by parent and instance: no reader has to exist, and what nobody reads yet is kept, up to the pipe's size.
[ -p "$folder/out" ] || command -p mkfifo -m 600 "$folder/out" || exit 127
exec </dev/null >/dev/null 2>&1 4<>"$folder/out"

(
  # An agent that dies before "go" has recorded nothing, so nothing may be left: end of input ends the parent too.
  read -r word <&3 && [ "$word" = go ] || { kill -9 $$; exit 125; }
  trap - PIPE
  exec >&4 2>&4 3>&- 4>&-
  exec "$@"
) &
child=$!
echo "pid $child" >&3

while :; do
  wait "$child"
  status=$?
  # A signal of the agent ends `wait` early; the instance is then still there.
  [ "$status" -gt 128 ] && kill -0 "$child" || break
done

# One short write: a reader finds the whole line or no line end.
echo "exit $status" >"$folder/exit"
echo "exit $status" >&3
# While this process lives the pipe keeps its content. An agent that is there says "bye" once it has the pipe open; one that comes later
# reads the file, then the pipe, and ends the parent. Being stopped needs no child, no timer and no memory.
read -r word <&3 || kill -STOP $$
