#!/usr/bin/env bash
# Makes one OCI image layout for all targets, as a tar file. Each image has only the file /openai.
# Usage: image.sh FILE VERSION EPOCH DIRECTORY...   (the directories that the archives are made of)
set -euo pipefail

file=$(realpath "$1") version=$2 epoch=$3
shift 3

layout=$(mktemp -d)
trap 'rm -rf "$layout"' EXIT
mkdir -p "$layout/blobs/sha256"

archive() { # DIRECTORY FILE...: a tar file that is the same at any time, for any user
    tar --create --format=ustar --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner \
        --mode=u=rwX,go=rX --directory "$@"
}
blob() { # keeps standard input, prints its digest and size
    local digest
    cat >"$layout/blob"
    digest=$(sha256sum <"$layout/blob" | cut -d' ' -f1)
    mv "$layout/blob" "$layout/blobs/sha256/$digest"
    printf '"digest":"sha256:%s","size":%s' "$digest" "$(stat -c %s "$layout/blobs/sha256/$digest")"
}

created=$(date -u -d "@$epoch" +%FT%TZ)
labels='"org.opencontainers.image.title":"openai-videos"'
labels+=',"org.opencontainers.image.description":"A client of the OpenAI Videos API"'
labels+=',"org.opencontainers.image.licenses":"MIT"'
labels+=",\"org.opencontainers.image.version\":\"$version\""
labels+=",\"org.opencontainers.image.created\":\"$created\""

manifests=
for directory; do
    case $directory in
    *-x86_64-*) platform='"architecture":"amd64"' ;;
    *-i686-*) platform='"architecture":"386"' ;;
    *-aarch64-*) platform='"architecture":"arm64"' ;;
    *-armv7-*) platform='"architecture":"arm","variant":"v7"' ;;
    *-arm-*) platform='"architecture":"arm","variant":"v6"' ;;
    *-riscv64gc-*) platform='"architecture":"riscv64"' ;;
    *) echo "no image is made of $directory" >&2; exit 1 ;;
    esac
    platform+=',"os":"linux"'
    archive "$directory" openai >"$layout/layer"
    unpacked=$(sha256sum <"$layout/layer" | cut -d' ' -f1)
    layer=$(gzip -9 --no-name <"$layout/layer" | blob)
    rm "$layout/layer"
    settings='"User":"65532:65532","Entrypoint":["/openai"],"Labels":{'$labels'}'
    config=$(printf '{"created":"%s",%s,"config":{%s},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
        "$created" "$platform" "$settings" "$unpacked" | blob)
    type=application/vnd.oci.image
    manifest=$(printf '{"schemaVersion":2,"mediaType":"%s",%s,%s}' "$type.manifest.v1+json" \
        "\"config\":{\"mediaType\":\"$type.config.v1+json\",$config}" \
        "\"layers\":[{\"mediaType\":\"$type.layer.v1.tar+gzip\",$layer}]" | blob)
    manifests+=${manifests:+,}'{"mediaType":"'$type.manifest.v1+json'",'$manifest',"platform":{'$platform'}}'
done

# The layout has one entry: the index of the images for each platform.
type=application/vnd.oci.image.index.v1+json
index=$(printf '{"schemaVersion":2,"mediaType":"%s","manifests":[%s],"annotations":{%s}}' \
    "$type" "$manifests" "$labels" | blob)
printf '{"schemaVersion":2,"mediaType":"%s","manifests":[{"mediaType":"%s",%s,"annotations":{%s}}]}' \
    "$type" "$type" "$index" "\"org.opencontainers.image.ref.name\":\"openai-videos:$version\"" >"$layout/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
archive "$layout" blobs index.json oci-layout >"$file"
