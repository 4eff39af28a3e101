# Looks after an agent that has gone over to another version of Drover: unless somebody says within the time that it may stay, the machine goes back.
# usage: /bin/sh guard.sh FOLDER PID_FILE SECONDS TRIAL BACK [PROGRAM ARGUMENT…], with what FOLDER/trial says, what FOLDER/current was, and what starts
# an agent where nobody else does. Of the version that it goes back to, so that it works whatever the other one is like.

# How long there may be no agent: one that starts is there within a second or two, and whoever supervises it starts it again.
longest_away_s=10

guard() {
  folder=$1 pid_file=$2 left=$3 trial=$4 back=$5 away=0
  shift 5
  # One is enough: an agent that ends and is started again during its trial asks for another.
  if is_guarded; then exit 0; fi
  echo $$ >"$folder/guard.pid"
  while :; do
    sleep 1
    [ "$(cat "$folder/trial" 2>/dev/null)" = "$trial" ] || exit 0
    left=$((left - 1))
    if [ -n "$(agent)" ]; then away=0; else away=$((away + 1)); fi
    if [ $away -ge $longest_away_s ]; then
      why="its agent did not stay"
      break
    fi
    if [ $left -le 0 ]; then
      why="nobody said in time that it works"
      break
    fi
  done
  printf '%s\n%s\n' "$trial" "$why" >"$folder/refused"
  rm -f "$folder/current.new"
  ln -s "$back" "$folder/current.new"
  mv -T "$folder/current.new" "$folder/current"
  rm -f "$folder/trial"
  pid=$(agent)
  [ -z "$pid" ] || kill -9 "$pid"
  [ $# -eq 0 ] || exec "$@"
}

# Whether another of these looks after this very trial.
is_guarded() {
  other=$(cat "$folder/guard.pid" 2>/dev/null) && tr '\0' '\n' <"/proc/$other/cmdline" 2>/dev/null | grep -qxF -e "$trial"
}

# The pid of the agent, if it lives.
agent() {
  pid=$(sed -n 's/^{"pid":\([0-9]*\)[,}].*/\1/p' "$pid_file" 2>/dev/null)
  if [ -n "$pid" ] && tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -q '/agent/main\.ts$'; then echo "$pid"; fi
}

# Read as a whole before anything of it runs.
guard "$@"
