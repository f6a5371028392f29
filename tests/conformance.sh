#!/usr/bin/env bash
# Runs the binary against Steady, a mock server that checks every request against OpenAI's
# published description of the API. Needs node and npm.
# Usage: conformance.sh BINARY STEADY
set -euo pipefail

binary=$1
steady=$2
clip=${0%/*}/media/clip.mp4

[[ -x $steady ]] || { echo "skipped: there is no $steady"; exit 0; }
for tool in node npm curl; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is missing"; exit 0; }
done

scratch=$(mktemp -d)
server=
stop() {
    if [[ -n $server ]]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$scratch"
}
trap stop EXIT
trap 'exit 1' INT TERM HUP

# Between this and the server's start the port could go to another program: the health check would notice.
port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => {
    console.log(s.address().port); s.close() })')
base=http://127.0.0.1:$port
"$steady" "$port" >"$scratch/steady.log" 2>&1 </dev/null &
server=$!

# The first run installs the server, which may take a while.
for ((tenths = 0; ; tenths++)); do
    curl -fs -o /dev/null "$base/_x-steady/health" && break
    if ((tenths >= 1800)) || ! kill -0 "$server" 2>/dev/null; then
        echo "the server did not start:" >&2
        cat "$scratch/steady.log" >&2
        exit 1
    fi
    sleep 0.1
done

passed=0
failed=0

# run ARGS...: leaves the exit code in $code and the streams in $scratch/out and $scratch/err.
run() {
    code=0
    env -i "$binary" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null || code=$?
}

# verdict NAME HOLDS: counts the check, and shows the run where it does not hold.
verdict() {
    if [[ $2 == yes ]]; then
        passed=$((passed + 1))
        echo "ok      $1"
        return
    fi
    failed=$((failed + 1))
    echo "FAILED  $1 (exit code $code)"
    sed 's/^/        stdout: /' "$scratch/out"
    sed 's/^/        stderr: /' "$scratch/err"
}

# A job is printed: all of the description's fields are printed, and nothing is on standard error.
prints_a_job() {
    local name=$1 holds=yes field
    shift
    run "$@"
    [[ $code == 0 && ! -s $scratch/err ]] || holds=no
    for field in id object model status progress created_at completed_at expires_at prompt size seconds \
        remixed_from_video_id error; do
        grep -q "^  \"$field\": " "$scratch/out" || holds=no
    done
    verdict "$name" "$holds"
}

# The request is refused: code 3, the server's own reason on standard error, nothing on standard output.
is_refused() {
    local name=$1 reason=$2 holds=yes
    shift 2
    run "$@"
    [[ $code == 3 && ! -s $scratch/out ]] || holds=no
    grep -qF -- "$reason" "$scratch/err" || holds=no
    verdict "$name" "$holds"
}

extend=(--base-url "$base" --api-key string videos extend --prompt x)
prints_a_job 'a reference as JSON' "${extend[@]}" --seconds 4 --video video_123
prints_a_job 'a reference as a form' "${extend[@]}" --seconds 4 --video video_123 --encoding multipart
prints_a_job 'an upload' "${extend[@]}" --seconds 4 --video "@$clip"
prints_a_job 'an object as JSON' "${extend[@]}" --seconds 4 --video '{"id": "video_123"}'
prints_a_job 'an object in the short form' "${extend[@]}" --seconds 4 --video '{id: video_123}'
prints_a_job "the official CLI's acceptance call" \
    --base-url "$base" --api-key string --admin-api-key string \
    videos extend --prompt x --seconds 4 --video 'Example data'
# 20 is allowed by the description's text and not by its type, which Steady goes by.
is_refused 'a value outside the description' 'not in allowed values' \
    "${extend[@]}" --seconds 20 --video video_123

echo "$passed passed, $failed failed"
((failed == 0))
