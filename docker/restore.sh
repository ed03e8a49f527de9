#!/bin/sh
# Restore a dump of docker/backup.sh into an empty database; one that has tables is left alone.
#
#   docker/restore.sh FOLDER [DATABASE_URL]         JOBS=4 connections at once
#
# Have no worker and no tick running. Afterwards, before starting any: manage.py migrate, then
# manage.py check_data --stop (docs/deploying.md, "Backup and restore").
set -eu
folder="${1:?the folder of the dump}"
url="${2:-${DATABASE_URL:?set it, or name it}}"

tables="$(psql "$url" -XAtc "select count(*) from pg_tables where schemaname = 'public'")"
[ "$tables" = 0 ] || { echo "restore: the database has $tables tables; take an empty one" >&2; exit 1; }
pg_restore --dbname "$url" --jobs "${JOBS:-4}" --no-owner --exit-on-error "$folder"
psql "$url" -Xqc "analyze"
echo "restore: done; now manage.py migrate, and manage.py check_data --stop"
