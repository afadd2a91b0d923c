#!/bin/sh
# Starts the server, or runs the command that it is given.
set -eu

fail() {
  echo "docker-entrypoint.sh: $*" >&2
  exit 2
}

# Checks that the variable $1, with the value $2, is a whole number from $3 to $4.
check() {
  case $2 in
    '' | *[!0-9]* | ??????*) fail "$1 is \"$2\": give a whole number from $3 to $4" ;;
  esac
  if [ "$2" -lt "$3" ] || [ "$2" -gt "$4" ]; then
    fail "$1 is \"$2\": give a whole number from $3 to $4"
  fi
}

case ${1-} in
  '' | -*) ;;
  *) exec "$@" ;;
esac

export PORT="${PORT-8000}"
export WEB_CONCURRENCY="${WEB_CONCURRENCY-2}"
check PORT "$PORT" 1 65535
check WEB_CONCURRENCY "$WEB_CONCURRENCY" 1 1000

exec uwsgi --ini /app/etc/uwsgi.ini "$@"
