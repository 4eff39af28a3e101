#!/bin/sh
# Packs what the clerk's slips ask for: reads each slip on the desk, takes its time, and writes the parcel's label. POSIX sh and awk, because
# every machine has them.
set -u
desk=${SLIPS_DIR:-.}/desk
packed=${SLIPS_DIR:-.}/packed
seconds=${PACKING_SECONDS:-2}
mkdir -p "$desk" "$packed"

stopping=
trap 'stopping=yes' TERM

echo "ready to pack"
while [ -z "$stopping" ]; do
  for slip in "$desk"/*; do
    [ -f "$slip" ] && [ -z "$stopping" ] || continue
    id=${slip##*/}
    # In the background and waited for, so that the signal to stop is heard at once; the slip stays on the desk then.
    sleep "$seconds" &
    wait $! || continue
    awk -F '\t' '
      { items += $2; cents += $3 }
      END { printf "parcel of %d item%s worth %.2f", items, items == 1 ? "" : "s", cents / 100 }
    ' "$slip" > "${SLIPS_DIR:-.}/$id.label"
    mv "${SLIPS_DIR:-.}/$id.label" "$packed/$id"
    rm "$slip"
    echo "packed $id"
  done
  sleep 0.3 &
  wait $! || :
done
echo "desk left tidy"
