# What adding a machine over SSH runs on a host, as the one who may do everything there. Plain POSIX sh, because nothing of ours is there yet.
# It comes on standard input, as does what it works with: lines that it reads one by one, and then, for some verbs, a stream of bytes.
# What it finds it says in lines "drover:key=value"; whatever a login shell prints besides is passed over.
set -euf
umask 022
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
unset DROVER_HOME DROVER_URL DROVER_TOKEN DROVER_CA CDPATH ENV

root=/opt/drover
home=/var/lib/drover
unit=/etc/systemd/system/drover.service
command=/usr/local/bin/drover
# Says that what is in $root was put there by this script, and may be taken away by it.
mark=$root/.machine-add

say() { printf 'drover:%s=%s\n' "$1" "$2"; }
# The words are what a person reads, with the last line of what a program said.
fail() {
  printf 'drover:failed=%s\n' "$(printf '%s' "$1" | tr '\n' ' ')"
  exit 3
}
last_line() { printf '%s\n' "$1" | sed '/^[[:space:]]*$/d' | tail -n 1; }

# The pid of the agent that runs on $home; nothing if none does.
agent_pid() {
  pid=$(sed -n 's/^{"pid":\([0-9]*\)[,}].*/\1/p' "$home/run/agent.json" 2>/dev/null || true)
  if [ -n "$pid" ] && tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -q '/agent/main\.ts$'; then echo "$pid"; fi
}

has_systemd() { [ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1; }

# KiB that are free where the folder is, or will be.
free_kib() {
  at=$1
  while [ ! -d "$at" ]; do at=$(dirname "$at"); done
  set -- $(df -Pk "$at" | tail -n 1)
  echo "${4-}"
}

membership() { sed -n "s/.*\"$1\":\"\\([^\"]*\\)\".*/\\1/p" "$home/link/membership.json" 2>/dev/null || true; }

verb_login() {
  say user "$(id -un)"
  if [ "$(id -u)" = 0 ]; then say sudo root
  elif ! command -v sudo >/dev/null 2>&1; then say sudo missing
  elif sudo -n -k true >/dev/null 2>&1; then say sudo free
  else say sudo password
  fi
  # Where it is reached from here, or from the last host on the way.
  set -- ${SSH_CONNECTION-}
  say address "${3-}"
}

verb_facts() {
  IFS= read -r link_host
  IFS= read -r link_port
  say os "$(uname -s)"
  say arch "$(uname -m)"
  say kernel "$(uname -r)"
  say hostname "$(uname -n)"
  say clock "$(date +%s)"
  say libc "$(getconf GNU_LIBC_VERSION 2>/dev/null || true)"
  for tool in tar gzip sha256sum df sed tail head wc cp find grep tr; do
    command -v "$tool" >/dev/null 2>&1 || say lacks "$tool"
  done
  say opt_kib "$(free_kib "$root")"
  say home_kib "$(free_kib "$home")"
  say memory_kib "$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo 2>/dev/null || true)"
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then say cgroup 2
  elif [ -d /sys/fs/cgroup/memory ] || [ -d /sys/fs/cgroup/cpu ]; then say cgroup 1
  else say cgroup none
  fi
  if has_systemd; then say init systemd; else say init other; fi
  # Ports that something listens on, in hexadecimal; those that are listening have state 0A.
  cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
    sed -n 's/^ *[0-9]*: [0-9A-F]*:\([0-9A-F]\{4\}\) [0-9A-F]*:[0-9A-F]\{4\} 0A .*/drover:listens=\1/p' | sort -u
  if [ -n "$link_host" ] && command -v timeout >/dev/null 2>&1 && command -v bash >/dev/null 2>&1; then
    if timeout 5 bash -c 'exec 3<>"/dev/tcp/$1/$2"' - "$link_host" "$link_port" 2>/dev/null; then say reaches yes; else say reaches no; fi
  fi
  if [ -e "$root" ] && [ ! -e "$mark" ]; then say foreign "$root"; fi
  if [ -e "$unit" ] && [ ! -e "$mark" ]; then say foreign "$unit"; fi
  if [ -e "$home/server/store.db" ]; then say server yes; fi
  say member "$(membership machine)"
  say member_of "$(membership address)"
  say agent "$(agent_pid)"
  set +f
  for part in "$root"/parts/*; do
    if [ -d "$part" ]; then say part "${part##*/}"; fi
  done
  for part in "$root"/incoming/*.part; do
    if [ -f "$part" ]; then
      digest=${part##*/}
      say "partly" "${digest%.part} $(wc -c <"$part" | tr -d ' ')"
    fi
  done
  set -f
}

# One part, from the byte on where an earlier attempt was cut off. It becomes visible as a whole, once its digest was found right.
verb_receive() {
  IFS= read -r digest
  IFS= read -r size
  IFS= read -r offset
  mkdir -p "$root/incoming" "$root/parts"
  : >"$mark"
  file=$root/incoming/$digest.part
  tree=$root/incoming/$digest.tree
  [ "$offset" != 0 ] || rm -f "$file"
  said=$(cat 2>&1 >>"$file") || {
    # Nobody gets further on a full disk: what is there of it is thrown away whole.
    rm -f "$file"
    fail "what was copied cannot be written: $(last_line "$said")"
  }
  have=$(wc -c <"$file" | tr -d ' ')
  if [ "$have" -lt "$size" ]; then fail "the copy was cut off after $have of $size bytes"; fi
  accept
}

# The same from a machine beside this one, which may be anybody: into a file of its own, so that what an earlier copy has left stays for whoever is asked next.
# The request is the rest of standard input, here and of what fetches: it has a token, and arguments can be seen by all users.
verb_fetch() {
  IFS= read -r digest
  IFS= read -r size
  IFS= read -r near_host
  IFS= read -r near_port
  IFS= read -r connect_s
  IFS= read -r give_s
  IFS= read -r request
  for tool in bash timeout; do
    command -v "$tool" >/dev/null 2>&1 || fail "there is no $tool here to fetch with"
  done
  timeout "$connect_s" bash -c 'exec 3<>"/dev/tcp/$1/$2"' - "$near_host" "$near_port" 2>/dev/null </dev/null ||
    fail "it takes no connection from here"
  mkdir -p "$root/incoming" "$root/parts"
  : >"$mark"
  file=$root/incoming/$digest.near
  tree=$root/incoming/$digest.tree
  # One byte more than there should be shows that it is something else.
  printf '%s\n' "$request" |
    timeout "$give_s" bash -c 'IFS= read -r ask; exec 3<>"/dev/tcp/$1/$2"; printf "%s\n" "$ask" >&3; exec head -c "$3" <&3' \
      - "$near_host" "$near_port" $((size + 1)) >"$file" 2>/dev/null || true
  have=$(wc -c <"$file" | tr -d ' ')
  if [ "$have" -ne "$size" ]; then
    rm -f "$file"
    fail "it gave $have of $size bytes"
  fi
  accept
  rm -f "$root/incoming/$digest.part"
}

# Takes $file for the part $digest, by way of $tree, if it is that.
accept() {
  if ! printf '%s  %s\n' "$digest" "$file" | sha256sum -c >/dev/null 2>&1; then
    rm -f "$file"
    fail "what arrived is not what was sent; it was thrown away"
  fi
  rm -rf "$tree"
  mkdir "$tree"
  said=$(tar -xzf "$file" -C "$tree" 2>&1) || {
    rm -rf "$file" "$tree"
    # A full disk shows in several lines of which not all say so.
    fail "what was copied cannot be unpacked: $(printf '%s\n' "$said" | grep -m 1 'No space left' || last_line "$said")"
  }
  sync -f "$tree" 2>/dev/null || sync
  mv "$tree" "$root/parts/$digest"
  rm -f "$file"
}

# Makes one Drover of the parts, out of hard links, and the current one of it.
verb_install() {
  IFS= read -r version
  IFS= read -r digests
  tree=$root/versions/$version
  if [ ! -d "$tree" ]; then
    rm -rf "$tree.new"
    mkdir -p "$tree.new"
    for digest in $digests; do
      said=$(cp -al "$root/parts/$digest/." "$tree.new/" 2>&1) || {
        rm -rf "$tree.new"
        fail "the parts cannot be put together: $(last_line "$said")"
      }
    done
    said=$("$tree.new/bin/drover" version 2>&1 </dev/null) || {
      rm -rf "$tree.new"
      fail "the Drover that was copied does not start: $(last_line "$said")"
    }
    mv "$tree.new" "$tree"
  fi
  before=$(readlink "$root/current" 2>/dev/null || true)
  if [ -n "$before" ] && [ "$before" != "versions/$version" ]; then ln -sfn "$before" "$root/before"; fi
  rm -f "$root/current.new"
  ln -s "versions/$version" "$root/current.new"
  mv -T "$root/current.new" "$root/current"
  if [ -L "$command" ] || [ ! -e "$command" ]; then
    mkdir -p "$(dirname "$command")"
    ln -sfn "$root/current/bin/drover" "$command"
  fi
  prune
}

# What is left: the current Drover, the one before, the one that runs, and their parts. All that was copied is whole by now, so what is half there is old.
prune() {
  running=$(readlink "/proc/$(agent_pid)/exe" 2>/dev/null || true)
  set +f
  for tree in "$root"/versions/*; do
    case $tree in "$root/$(readlink "$root/current")" | "$root/$(readlink "$root/before" || true)") continue ;; esac
    case $running in "$tree"/*) continue ;; esac
    rm -rf "$tree"
  done
  for part in "$root"/parts/*; do
    # A file of a part that some version is made of has another name there.
    if [ -z "$(find "$part" -type f -links +1 | head -n 1)" ]; then rm -rf "$part"; fi
  done
  rm -rf "$root"/incoming/*
  set -f
}

# The token is the rest of standard input. What the agent says of a refusal it says itself.
verb_join() {
  IFS= read -r link
  said=$("$root/current/bin/drover" agent --home "$home" --join "$link" --token-file - --join-only 2>&1) || {
    printf '%s\n' "$said" | sed -n 's/^hint: */drover:hint=/p'
    fail "$(printf '%s\n' "$said" | sed -n 's/^error: \(.*\)   \[[A-Z_]*\]$/\1/p' | head -n 1 | grep . || last_line "$said")"
  }
}

verb_start() {
  IFS= read -r arguments
  IFS= read -r encoded
  if has_systemd; then
    printf '%s' "$encoded" | base64 -d >"$unit.new"
    mv "$unit.new" "$unit"
    said=$(systemctl daemon-reload 2>&1 && systemctl enable drover 2>&1 && systemctl start drover 2>&1) ||
      fail "systemd does not start the agent: $(last_line "$said")"
  elif [ -z "$(agent_pid)" ]; then
    mkdir -p "$home/agent/log"
    cd /
    # Words without blanks or quotes; patterns are off.
    setsid "$root/current/bin/drover" agent --home "$home" $arguments </dev/null >"$home/agent/log/start.log" 2>&1 &
  fi
}

# Why an agent that was started does not answer, in its own words.
verb_why() {
  if has_systemd; then journalctl -u drover -n 20 --no-pager -o cat 2>/dev/null || true
  else tail -n 20 "$home/agent/log/start.log" 2>/dev/null || true
  fi
}

stop_agent() {
  if [ -e "$unit" ] && has_systemd; then systemctl disable --now drover >/dev/null 2>&1 || true; fi
  if [ -x "$root/current/bin/drover" ]; then
    said=$("$root/current/bin/drover" down --home "$home" --timeout 30s 2>&1 </dev/null) || fail "$(last_line "$said")"
  fi
  if [ -e "$unit" ] && has_systemd; then
    rm -f "$unit"
    systemctl daemon-reload
  fi
}

# What an attempt to add this host had done last is taken back; the parts that are there spare the next attempt the copying.
verb_undo() {
  stop_agent
  rm -rf "$home/link"
}

# The user's script is the rest of standard input, and runs as root. It is kept in a file of root's own, since it may hold secrets that no argument may have.
verb_run() {
  IFS= read -r seconds
  script=$(mktemp "$root/script.XXXXXX")
  trap 'rm -f "$script"' EXIT
  cat >"$script"
  code=0
  said=$(cd / && timeout "$seconds" sh "$script" </dev/null 2>&1) || code=$?
  printf '%s\n' "$said" | tail -n 200 | sed 's/^/drover:said=/'
  say exit "$code"
}

verb_uninstall() {
  # Nothing of Drover is there, or not any more.
  if [ ! -e "$root" ] && [ ! -e "$home" ]; then return; fi
  [ -e "$mark" ] || fail "the Drover in $root was not put there by \"drover machine add\""
  stop_agent
  if [ "$(readlink "$command" 2>/dev/null || true)" = "$root/current/bin/drover" ]; then rm -f "$command"; fi
  set +f
  set -- "$home"/agent/volumes/*
  set -f
  if [ -e "$1" ]; then
    # Files of people's apps are not ours to delete.
    say kept "$home/agent/volumes"
    find "$home" -mindepth 1 -maxdepth 1 ! -name agent -exec rm -rf {} +
    find "$home/agent" -mindepth 1 -maxdepth 1 ! -name volumes -exec rm -rf {} +
  else
    rm -rf "$home"
  fi
  rm -rf "$root"
}

IFS= read -r verb
"verb_$verb"
say end yes
