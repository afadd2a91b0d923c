# shellcheck shell=bash
# Buildah in the private root, with a storage of its own.

buildah() { # ARGS...
  [[ $# -gt 0 ]] || usage
  check_machine
  lock
  provision
  install_in_root /usr/bin/buildah buildah netavark
  unlock
  # `docker-daemon:` means /run/docker.sock, whatever DOCKER_HOST is, so `enter` mounts the socket of the running
  # engine there. Without an engine, Buildah can do everything else.
  if which_engine >/dev/null; then
    use_engine
    DAEMON_SOCKET=$(docker context inspect --format '{{.Endpoints.docker.Host}}')
    export DAEMON_SOCKET=${DAEMON_SOCKET#unix://}
  fi
  run_in_root buildah --root "$HOME_DIR/buildah/storage" --runroot "$HOME_DIR/buildah/run" "$@"
}

buildah_import() { # IMAGE...
  [[ $# -gt 0 ]] || usage
  use_engine
  local image
  for image; do
    say "copying $image to Buildah's storage"
    buildah pull --quiet "docker-daemon:$image" >/dev/null
  done
}
