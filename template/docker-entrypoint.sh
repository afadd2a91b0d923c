#!/bin/sh
# An update overwrites this file.
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

# Prints how many CPUs this container may use: the machine's, or fewer where it has a limit (cgroup 2, else 1).
cpus() {
  cpus=$(nproc)
  quota=max
  if [ -r /sys/fs/cgroup/cpu.max ]; then
    read -r quota period </sys/fs/cgroup/cpu.max
  elif [ -r /sys/fs/cgroup/cpu/cpu.cfs_quota_us ]; then
    read -r quota </sys/fs/cgroup/cpu/cpu.cfs_quota_us
    read -r period </sys/fs/cgroup/cpu/cpu.cfs_period_us
  fi
  case $quota in
    max | -1) ;;
    *) limit=$(((quota + period - 1) / period)) && [ "$limit" -ge "$cpus" ] || cpus=$limit ;;
  esac
  echo "$cpus"
}

case ${1-} in
  '' | -*) ;;
  *) exec "$@" ;;
esac

# Process 1 of a container gets only the signals that it asks for: a stop may come before the server does that.
trap 'exit 0' TERM INT

if [ -z "${WEB_CONCURRENCY+set}" ]; then
  # Two workers for each CPU, so that one waits while another computes; at most 16, because each takes memory.
  WEB_CONCURRENCY=$(($(cpus) * 2))
  [ "$WEB_CONCURRENCY" -le 16 ] || WEB_CONCURRENCY=16
fi
export WEB_CONCURRENCY
export WEB_THREADS="${WEB_THREADS-1}"
export PORT="${PORT-8000}"
check WEB_CONCURRENCY "$WEB_CONCURRENCY" 1 1000
check WEB_THREADS "$WEB_THREADS" 1 1000
check PORT "$PORT" 1 65535

if [ "${LOG_FORMAT-}" = json ]; then
  # uWSGI makes JSON of what it writes itself. For that it puts a pipe in the place of standard output, which cuts long
  # lines, so the application writes to the real one.
  export LOG_FD=3
fi
exec uwsgi --ini /app/etc/uwsgi.ini "$@" 3>&1
