#!/usr/bin/env bash
# Tests DNS lookups from an empty root that holds nothing but a /etc/resolv.conf, with a name server
# that has the faults of real ones. The lookups are done by the C library, so the static build of
# each is tested.
# Usage: name_server.sh STANDIN NAME_SERVER BINARY...
set -euo pipefail

standin=$1
name_server=$2
shift 2
# Another address than 127.0.0.1, where this machine's resolver may listen.
address=127.0.0.153

if ((EUID != 0)); then
    echo 'skipped: only root may change the root and serve on port 53'
    exit 0
fi
# The name server runs as long as the rest of this script, which is its child.
if [[ ! ${INSIDE-} ]]; then
    code=0
    "$name_server" "$address" true || code=$?
    ((code != 77)) || {
        echo "skipped: port 53 of $address cannot be used"
        exit 0
    }
    INSIDE=1 exec "$name_server" "$address" bash "$0" "$standin" "$name_server" "$@"
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir "$root/etc"
failed=0

# EXPECTED CODE, EXPECTED START OF STANDARD ERROR, SECONDS IT MAY TAKE, HOST, OPTIONS...
try() {
    local code=$1 says=$2 limit=$3 host=$4 before=$SECONDS got=0
    shift 4
    # shellcheck disable=SC2016 # the inner shell expands it
    "$standin" -- sh -c 'host=$1 root=$2 chroot=$3; shift 3
        url=$(echo "$OPENAI_BASE_URL" | sed "s/127.0.0.1/$host/")
        exec env -i OPENAI_BASE_URL="$url" OPENAI_ALLOW_HTTP=1 OPENAI_API_KEY="$OPENAI_API_KEY" \
            "$chroot" "$root" /openai videos extend --prompt x --seconds 4 --video video_1 --max-retries 0 -q "$@"' \
        sh "$host" "$root" "$(command -v chroot)" "$@" >"$root/out" 2>"$root/err" || got=$?
    sed -i "s/:[0-9]\{4,5\}:/:PORT:/" "$root/err"
    if ((got == code && SECONDS - before <= limit)) && [[ $(<"$root/err") == "$says"* ]]; then
        printf 'ok      %s %s\n' "$host" "$*"
    else
        printf 'FAILED  %s %s: code %s after %s s\n%s\n' \
            "$host" "$*" "$got" "$((SECONDS - before))" "$(<"$root/err")"
        failed=1
    fi
}

all() {
    try 0 '' 1 plain.test
    # An error for one address family, an address for the other.
    try 0 '' 1 refused.test
    try 0 '' 1 failed.test
    try 0 '' 1 denied.test
    try 0 '' 2 silent.test
    try 0 '' 1 second.test
    # Nothing listens on ::1, so each of these goes on to the other address or names the one that
    # failed.
    try 0 '' 1 both.test
    try 0 '' 1 both.test -4
    try 6 'openai: no connection to both.test:PORT: Connection refused' 1 both.test -6
    try 6 'openai: no connection to plain.test:PORT: DNS lookup failed: ' 1 plain.test -6
    try 6 'openai: no connection to nowhere.test:PORT: DNS lookup failed: ' 1 nowhere.test
    try 6 'openai: no connection to silent.test:PORT: DNS lookup took longer than 1s' 2 \
        silent.test -6 --connect-timeout 1s
    rm "$root/etc/resolv.conf"
    try 6 'openai: no connection to plain.test:PORT: DNS lookup failed: ' 11 plain.test
    grep -q '; /etc/resolv.conf does not exist$' "$root/err" &&
        grep -q '^hint: add a name server to /etc/resolv.conf' "$root/err" || {
        printf 'FAILED  no hint at /etc/resolv.conf\n%s\n' "$(<"$root/err")"
        failed=1
    }
    try 0 '' 1 127.0.0.1
    try 0 '' 1 localhost
}

for binary; do
    echo "== $binary"
    cp "$binary" "$root/openai"
    echo "nameserver $address" >"$root/etc/resolv.conf"
    all
done
exit "$failed"
