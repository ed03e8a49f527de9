#!/bin/sh
# Make the secrets of docker/compose.yaml, each in a file of its own; one that is there is kept.
#
#   docker/secrets.sh [FOLDER]
#
# The folder lets nobody but its owner in. The files in it are open, because a container sees them
# as they are and runs under another account than you.
set -eu
umask 077
folder="${1:-$(dirname "$0")/secrets}"
mkdir -p "$folder"
chmod 700 "$folder"

random() { # of letters and digits, so that it fits into an address
    head -c 64 /dev/urandom | base64 | tr -dc 'A-Za-z0-9' | head -c 48
}

keep() { # NAME VALUE
    if [ ! -e "$folder/$1" ]; then
        printf '%s\n' "$2" >"$folder/$1"
        echo "made $folder/$1"
    fi
    chmod 444 "$folder/$1"
}

keep secret_key "$(random)"
keep sealing_keys "$(random)"
keep database_password "$(random)"
if [ ! -e "$folder/valkey_users" ] || [ ! -e "$folder/redis_url" ]; then
    password="$(random)"
    rm -f "$folder/valkey_users" "$folder/redis_url"
    keep valkey_users "user default on >$password ~* &* +@all"
    keep redis_url "redis://:$password@valkey:6379/0"
fi
# of the profile `tls`: put your own certificate with its chain, and its key, in their place
for name in tls_certificate tls_key; do
    [ -e "$folder/$name" ] || echo "not there yet: $folder/$name (needed by the profile tls only)"
done
