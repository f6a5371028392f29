#!/usr/bin/env bash
# Runs the binary against Steady, a mock server that checks every request against OpenAI's published
# description of the API. Needs node and npm.
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

# Another program could take the port before the server does; the health check would fail then.
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

# run ARGS...: sets $code to the exit code, and writes the streams to $scratch/out and $scratch/err.
run() {
    code=0
    env -i "$binary" "$@" >"$scratch/out" 2>"$scratch/err" <"${input:-/dev/null}" || code=$?
}

# verdict NAME HOLDS: counts the check, and prints the run if HOLDS is not yes.
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

job='id object model status progress created_at completed_at expires_at prompt size seconds
    remixed_from_video_id error'
character='id name created_at'

# prints FIELDS NAME ARGS...: an object with these fields is printed, and only $notice is on
# standard error.
prints() {
    local fields=$1 name=$2 holds=yes field
    shift 2
    run "$@"
    [[ $code == 0 && $(<"$scratch/err") == "${notice:-}" ]] || holds=no
    for field in $fields; do
        grep -q "^  \"$field\": " "$scratch/out" || holds=no
    done
    verdict "$name" "$holds"
}

# is_refused NAME REASON ARGS...: code 3, the server's own reason on standard error, nothing on
# standard output.
is_refused() {
    local name=$1 reason=$2 holds=yes
    shift 2
    run "$@"
    [[ $code == 3 && ! -s $scratch/out ]] || holds=no
    grep -qF -- "$reason" "$scratch/err" || holds=no
    verdict "$name" "$holds"
}

videos=(--base-url "$base" --api-key string videos)
extend=("${videos[@]}" extend --prompt x)
prints "$job" 'extend: a reference as JSON' "${extend[@]}" --seconds 4 --video video_123
prints "$job" 'extend: a reference as a form' "${extend[@]}" --seconds 4 --video video_123 --encoding multipart
prints "$job" 'extend: an upload' "${extend[@]}" --seconds 4 --video "@$clip"
prints "$job" 'extend: an object as JSON' "${extend[@]}" --seconds 4 --video '{"id": "video_123"}'
prints "$job" 'extend: an object in the short form' "${extend[@]}" --seconds 4 --video '{id: video_123}'
# The text of the description allows 20, but its type, which Steady checks, does not.
is_refused 'extend: a value outside the description' 'not in allowed values' \
    "${extend[@]}" --seconds 20 --video video_123

create=("${videos[@]}" create --prompt x --model sora-2 --seconds 8 --size 1280x720)
prints "$job" 'create: a prompt alone' "${videos[@]}" create --prompt x
prints "$job" 'create: every field as JSON' "${create[@]}" --input-reference file-123
prints "$job" 'create: every field as a form' "${create[@]}" --input-reference file-123 --encoding multipart
prints "$job" 'create: an image by its URL' "${create[@]}" --input-reference https://example.com/a.png
prints "$job" 'create: an object' "${create[@]}" --input-reference '{file_id: file-123}'
prints "$job" 'create: an upload' "${create[@]}" --input-reference "@$clip"
prints "$job" 'create: an upload as a data URL' "${create[@]}" --input-reference "@$clip" --encoding data-url
is_refused 'create: a value outside the description' 'not in allowed values' "${create[@]}" --size 1x1

edit=("${videos[@]}" edit --prompt x)
prints "$job" 'edit: a reference as JSON' "${edit[@]}" --video video_123
prints "$job" 'edit: a reference as a form' "${edit[@]}" --video video_123 --encoding multipart
prints "$job" 'edit: an upload' "${edit[@]}" --video "@$clip"

prints "$job" 'remix: as JSON' "${videos[@]}" remix video_123 --prompt x
prints "$job" 'remix: as a form' "${videos[@]}" remix video_123 --prompt x --encoding multipart

prints "$character" 'create-character: a file' "${videos[@]}" create-character --name x --video "$clip"
prints "$character" 'create-character: a file after @' "${videos[@]}" create-character --name x --video "@$clip"

# The calls by which the official CLI tests its own videos commands, word for word but for the
# file's name.
printf 'Example data' >"$scratch/example"
official=(--base-url "$base" --api-key string --admin-api-key string videos)
prints "$job" 'official: create' "${official[@]}" create --prompt x --input-reference 'Example data' --model sora-2 \
    --seconds 4 --size 720x1280
prints "$job" 'official: retrieve' "${official[@]}" retrieve --video-id video_123
# Steady sends a random page for each request.
notice='openai: the list may be incomplete: the server does not return its next page' \
    prints "$job" 'official: list' "${official[@]}" list --max-items 10 --after after --limit 0 --order asc
prints 'id object deleted' 'official: delete' "${official[@]}" delete --video-id video_123
prints "$character" 'official: create-character' "${official[@]}" create-character --name x --video "$scratch/example"
prints '' 'official: download-content' "${official[@]}" download-content --video-id video_123 --variant video \
    --output /dev/null
prints "$job" 'official: edit' "${official[@]}" edit --prompt x --video 'Example data'
prints "$job" 'official: extend' "${official[@]}" extend --prompt x --seconds 4 --video 'Example data'
prints "$character" 'official: get-character' "${official[@]}" get-character --character-id char_123
prints "$job" 'official: remix' "${official[@]}" remix --video-id video_123 --prompt x

# piped YAML FIELDS NAME ARGS...: like prints, with this YAML on standard input.
piped() {
    local yaml=$1
    shift
    input=<(printf '%b' "$yaml") prints "$@"
}

piped "prompt: x\ninput_reference: Example data\nmodel: sora-2\nseconds: '4'\nsize: 720x1280\n" \
    "$job" 'official, standard input: create' "${official[@]}" create
piped "name: x\nvideo: $scratch/example\n" \
    "$character" 'official, standard input: create-character' "${official[@]}" create-character
piped 'prompt: x\nvideo: Example data\n' "$job" 'official, standard input: edit' "${official[@]}" edit
piped "prompt: x\nseconds: '4'\nvideo: Example data\n" \
    "$job" 'official, standard input: extend' "${official[@]}" extend
piped 'prompt: x' "$job" 'official, standard input: remix' "${official[@]}" remix --video-id video_123

echo "$passed passed, $failed failed"
((failed == 0))
