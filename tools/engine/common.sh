# shellcheck shell=bash
# Used by all parts: the data folder, messages, the lock, and checks of the machine.

HOME_DIR=$(realpath -m "${ENGINE_HOME:-/var/tmp/uv-docker-template-engine}")
# pip doesn't read SSL_CERT_FILE.
if [[ ${SSL_CERT_FILE:-} ]]; then export PIP_CERT=${PIP_CERT:-$SSL_CERT_FILE}; fi

say() { printf 'engine: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }
show_log_end() { tail -n 20 "$1" | cut -c -200 >&2; }

# Print the comment at the top of the entry script.
usage() { sed -n '2,/^$/s/^# \{0,1\}//p' "$SELF" >&2; exit 2; }

# Every command that writes below $HOME_DIR holds this lock. `start_process` closes its descriptor in what it starts.
lock() {
  mkdir -p "$HOME_DIR"
  exec 9>"$HOME_DIR/lock"
  flock --nonblock 9 || { say "waiting for another engine command to end"; flock 9; }
}
unlock() { exec 9>&-; }

# shellcheck source=/dev/null
os_release() { (. /etc/os-release && echo "${!1}"); } # VARIABLE

check_system() {
  [[ $(os_release ID) == debian ]] ||
    die "this works on Debian only: install a container engine and start it"
}

check_machine() {
  [[ $EUID == 0 ]] || die "this needs root: run it as root, or start a container engine yourself"
  check_system
}
