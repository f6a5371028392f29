#!/usr/bin/env bash
# A first session with the program, against the server that OPENAI_BASE_URL names: two new videos
# and their files.
# Usage: demo.sh DIRECTORY    (with openai in PATH)
set -euo pipefail

clip=${0%/*}/media/clip.mp4
PS4='$ '
set -x
openai videos create --prompt 'A boat leaves the harbour' --seconds 4 --wait --format pretty
openai videos extend --prompt 'The camera pulls back' --seconds 4 --video "@$clip" --output "$1/extended.mp4"
openai videos list --format pretty
openai videos download-content video_1 --output "$1/created.mp4"
