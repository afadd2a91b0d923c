# shellcheck shell=bash
# A registry in the private root, on 127.0.0.1 and the first free port from 5000 on.

registry() { # start|stop|address
  case ${1:-} in
    start) start_registry ;;
    stop) stop_registry ;;
    address)
      is_running registry || die "the registry does not run: run '$0 registry start'"
      cat "$HOME_DIR/registry.address"
      ;;
    *) usage ;;
  esac
}

start_registry() {
  check_machine
  lock
  if is_running registry; then say "the registry already runs: $(cat "$HOME_DIR/registry.address")"; return; fi
  provision
  install_in_root /usr/bin/docker-registry docker-registry
  local port=5000
  while is_port_used $port; do port=$((port + 1)); done
  cat >"$HOME_DIR/registry.yml" <<YAML
version: 0.1
storage: {filesystem: {rootdirectory: $HOME_DIR/registry}, delete: {enabled: true}}
http: {addr: "127.0.0.1:$port"}
YAML
  echo "localhost:$port" >"$HOME_DIR/registry.address"
  start_process registry docker-registry serve "$HOME_DIR/registry.yml"
  wait_for_process registry is_port_used $port
  say "the registry listens at localhost:$port"
}

stop_registry() {
  if is_running registry; then check_machine; lock; stop_process registry; else say "the registry does not run"; fi
}

is_port_used() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
