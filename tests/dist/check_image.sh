#!/usr/bin/env bash
# Checks the image layout: skopeo reads the image of each platform. That of this machine has only
# the binary, which runs in the image's root as its user. buildah builds the README's Dockerfile.
# Usage: check_image.sh FILE VERSION STANDIN
set -euo pipefail

file=$(realpath "$1") version=$2 standin=$(realpath "$3")
readme=$(dirname "$0")/../../README.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

command -v skopeo >/dev/null || { echo 'not checked: the image: skopeo is missing'; exit 0; }

for platform in amd64 386 arm64 riscv64 arm/v7 arm/v6; do
    chosen=(--override-arch "${platform%/*}")
    [[ $platform != */* ]] || chosen+=(--override-variant "${platform#*/}")
    config=$(skopeo "${chosen[@]}" inspect --config "oci-archive:$file")
    for line in "\"architecture\": \"${platform%/*}\"" '"User": "65532:65532"' \
        "\"org.opencontainers.image.version\": \"$version\""; do
        grep -qF "$line" <<<"$config" || { echo "the image for $platform does not say $line" >&2; exit 1; }
    done
done
skopeo copy --quiet "oci-archive:$file" "docker-archive:$work/docker.tar:openai-videos:$version"
mkdir "$work/docker" "$work/root"
tar --extract --file "$work/docker.tar" --directory "$work/docker"
layer=("$work"/docker/*.tar)
[[ $(tar --list --file "${layer[0]}") == openai ]] || { echo 'the image has more than the binary' >&2; exit 1; }
echo 'ok      the image of each platform has its description, and converts to a docker archive'

if ((EUID != 0)); then
    echo 'not checked: the image in a root of its own: that takes root'
    exit 0
fi
tar --extract --file "${layer[0]}" --directory "$work/root"
# The volume of a container.
install --directory --owner=65532 --group=65532 "$work/root/data"
chmod 755 "$work"
# shellcheck disable=SC2016 # the inner shell expands it
"$standin" -- sh -c 'exec env -i OPENAI_BASE_URL="$OPENAI_BASE_URL" OPENAI_API_KEY="$OPENAI_API_KEY" \
    "$1" --userspec=65532:65532 "$0" /openai videos extend --prompt "The camera pulls back" --seconds 8 \
    --video video_123 --output /data/out.mp4' "$work/root" "$(command -v chroot)" >"$work/job"
[[ -s $work/root/data/out.mp4 ]] && grep -q '"status": "completed"' "$work/job"
echo 'ok      extend, wait and download in the root of the image, as its user'

command -v buildah >/dev/null || { echo 'not checked: COPY --from= of the README: buildah is missing'; exit 0; }
mkdir "$work/context"
ln "$file" "$work/context/" 2>/dev/null || cp "$file" "$work/context/"
grep -B 1 -A 1 '^COPY --from=oci-archive:' "$readme" | sed -n '/^FROM/,$p' >"$work/context/Dockerfile"
builds() { buildah --storage-driver vfs --root "$work/storage" --runroot "$work/run" "$@"; }
(cd "$work/context" && builds bud --isolation chroot --quiet --tag tried . >"$work/log" 2>&1) ||
    { cat "$work/log" >&2; exit 1; }
mounted=$(builds mount "$(builds from localhost/tried)")
cmp "$mounted/usr/local/bin/openai" "$work/root/openai"
builds rm --all >/dev/null
echo 'ok      the Dockerfile of the README builds'
