#!/bin/sh
# state.sh FILE WHAT...: what LXD says of each by its API ("config": its settings) is kept in FILE, or compared with what was kept there before.
set -eu
file=$1
shift
for what; do
  echo "$what"
  if [ "$what" = config ]; then lxc config show; else lxc query "/1.0/$what"; fi
done >"$file.now"
if [ -e "$file" ]; then diff "$file" "$file.now"; else mv "$file.now" "$file"; fi
