#!/bin/sh
# One image: what GNU parallel runs. Arguments: image, folder for the videos, poll interval.
# Needs BASE_URL and COMETAPI_KEY.
set -eu
base="$BASE_URL/runwayml/v1"
place="$2/$(basename "$1" .jpg).mp4"
[ -e "$place" ] && exit 0

ask() {
  curl -sSf -H "Authorization: Bearer $COMETAPI_KEY" -H "X-Runway-Version: 2024-11-06" "$@"
}

id=$(ask "$base/image_to_video" -H "Content-Type: application/json" -d "{\"model\": \"gen4_turbo\", \
\"promptImage\": \"$1\", \"promptText\": \"slow push in\", \"ratio\": \"1280:720\"}" |
  sed 's/.*"id" *: *"\([^"]*\)".*/\1/')
while :; do
  sleep "$3"
  task=$(ask "$base/tasks/$id")
  case "$task" in *SUCCEEDED*) break ;; esac
done
link=$(printf %s "$task" | sed 's/.*"output" *: *\["\([^"]*\)".*/\1/')
curl -sSf -o "$place.part" "$link"
sync "$place.part"
mv "$place.part" "$place"
