#!/usr/bin/env bash
# Runs the static binary in an empty root, with an empty environment, against the stand-in.
# Usage: empty_root.sh BINARY STANDIN
set -euo pipefail

binary=$1
standin=$2

chroot=$(command -v chroot)
enter=("$chroot")
if ((EUID != 0)); then
    enter=("$(command -v unshare)" --map-root-user "$chroot")
    "${enter[@]}" / true 2>/dev/null || { echo 'skipped: this user may not change the root'; exit 0; }
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cp "$binary" "$root/openai"
mkdir "$root/work"
cp "$(dirname "$0")/media/clip.mp4" "$root/work/"

# shellcheck disable=SC2016 # the inner shell expands it
"$standin" -- sh -c 'root=$1; shift; exec env -i OPENAI_BASE_URL="$OPENAI_BASE_URL" OPENAI_API_KEY="$OPENAI_API_KEY" \
    "$@" "$root" /openai videos extend --prompt "It snows" --seconds 4 --video @/work/clip.mp4 \
    -o /work/out.mp4 -q' sh "$root" "${enter[@]}" >"$root/job"
cmp "$root/work/clip.mp4" "$root/work/out.mp4"
grep -q '"status": "completed"' "$root/job"
# Only the downloaded file is left.
[[ $(ls -A "$root/work") == $'clip.mp4\nout.mp4' ]]
echo 'ok      extend, wait and download in an empty root'
