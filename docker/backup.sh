#!/bin/sh
# Dump the gateway's database into a new folder, consistent as of the moment it began; nothing waits.
#
#   docker/backup.sh FOLDER [DATABASE_URL]          JOBS=4 connections at once
#
# The folder holds every app's keys and devices: keep it as you keep the database. The sealing keys are
# not in it and must be kept apart from it, or nothing sealed can be opened again.
set -eu
umask 077
folder="${1:?the folder to make}"
url="${2:-${DATABASE_URL:?set it, or name it}}"

[ ! -e "$folder" ] || { echo "backup: $folder is there already" >&2; exit 1; }
pg_dump --dbname "$url" --format directory --jobs "${JOBS:-4}" --compress 1 --no-owner --file "$folder.part"
pg_restore --list "$folder.part" >/dev/null # it can be read
mv "$folder.part" "$folder"
echo "backup: $folder, $(du -sh "$folder" | cut -f1)"
