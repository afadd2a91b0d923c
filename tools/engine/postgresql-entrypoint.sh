#!/bin/sh
# Of the stand-in for the image postgres: creates the database, if there is none, and starts the server.
set -eu
user=${POSTGRES_USER:-postgres}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  if [ -z "${POSTGRES_PASSWORD_FILE-}" ]; then
    POSTGRES_PASSWORD_FILE=/tmp/password
    printf '%s\n' "${POSTGRES_PASSWORD:?set it, or POSTGRES_PASSWORD_FILE}" >"$POSTGRES_PASSWORD_FILE"
  fi
  initdb --username="$user" --pwfile="$POSTGRES_PASSWORD_FILE" --auth-local=trust --auth-host=scram-sha-256 \
    --locale=C.UTF-8 --no-sync
  sed -i 's/^host\(.*\)scram-sha-256$/host\1trust/' "$PGDATA/pg_hba.conf" # from the container itself, as in the original
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  # Until all is there, it listens only on its socket.
  pg_ctl --wait --silent --options="-c listen_addresses= -c unix_socket_directories=/tmp" start
  [ "${POSTGRES_DB:-$user}" = postgres ] || createdb --host=/tmp --username="$user" "${POSTGRES_DB:-$user}"
  pg_ctl --wait --silent --mode=fast stop
fi
exec "$@" -c listen_addresses='*' -c unix_socket_directories=/tmp
