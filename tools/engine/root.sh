# shellcheck shell=bash
# The private root: a Debian 13 below $HOME_DIR, in which Docker, Buildah and the registry are installed and run.

ROOT=$HOME_DIR/root

provision() {
  [[ -d $ROOT ]] && return
  say "bootstrapping Debian 13 with Docker into $ROOT (half a minute)"
  rm -rf --one-file-system "$ROOT.new"
  bootstrap trixie "$ROOT.new" \
    --include=docker.io,docker-cli,docker-buildx,docker-compose,iptables,iproute2,ca-certificates
  # Packages that are installed later must not start their services.
  printf '#!/bin/sh\nexit 101\n' >"$ROOT.new/usr/sbin/policy-rc.d"
  chmod 755 "$ROOT.new/usr/sbin/policy-rc.d"
  # The mount point of `mount_machine`. Replacing it later would unmount it in processes that run.
  rm -f "$ROOT.new/etc/resolv.conf"
  touch "$ROOT.new/etc/resolv.conf"
  mkdir -p "$HOME_DIR/bin" "$HOME_DIR/config/cli-plugins"
  echo '{}' >"$HOME_DIR/config/config.json" # Buildah fails without one.
  ln -sfn "$ROOT/usr/bin/docker" "$HOME_DIR/bin/docker"
  ln -sfn "$ROOT"/usr/libexec/docker/cli-plugins/docker-{buildx,compose} "$HOME_DIR/config/cli-plugins/"
  mv "$ROOT.new" "$ROOT" # renamed last, so that a root of this name is always complete
}

install_in_root() { # PROGRAM (whose presence shows that all is installed) PACKAGE...
  [[ -x $ROOT$1 ]] && return
  shift
  say "installing $* into $ROOT"
  # shellcheck disable=SC2016 # expanded in the root
  run_in_root sh -c 'apt-get update -qq && apt-get install -qqy --no-install-recommends "$@"' - "$@" \
    >"$HOME_DIR/apt.log" 2>&1 || { show_log_end "$HOME_DIR/apt.log"; die "cannot install $* (log: $HOME_DIR/apt.log)"; }
}

# Run a command in the root. When it ends, its mounts and the processes that it left running end with it.
run_in_root() { # COMMAND...
  # $HOME_DIR is an argument so that `is_running` recognizes the process.
  ENGINE_HOME=$HOME_DIR unshare --mount --propagation private --pid --fork --kill-child "$SELF" enter "$HOME_DIR" "$@"
}

# Called in new mount and process namespaces: switch to the private root, and execute a command.
enter() { # HOME_DIR COMMAND...
  shift
  local folder=$PWD
  mount_root
  mount_machine
  # With chroot instead, `docker exec` and health checks would start in the machine's root, still that of the namespace.
  mkdir -p "$ROOT/.machine"
  cd "$ROOT" || exit
  pivot_root . .machine
  umount --lazy /.machine
  # docker-init (tini) as process 1 forwards signals, and reaps the processes that dockerd leaves behind.
  exec /usr/bin/docker-init -- env --chdir="$folder" LC_ALL=C \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

mount_root() {
  local dir
  mount --bind "$ROOT" "$ROOT" # runc needs / to be a mount point.
  mount -t proc proc "$ROOT/proc"
  for dir in /dev /sys; do mount --rbind $dir "$ROOT$dir"; done
  # A separate /run: dockerd would use the machine's containerd if it found its socket there.
  mount -t tmpfs -o mode=755 tmpfs "$ROOT/run"
  if [[ -S ${DAEMON_SOCKET:-} ]]; then
    touch "$ROOT/run/docker.sock"
    mount --bind "$DAEMON_SOCKET" "$ROOT/run/docker.sock"
  fi
}

# Mount the machine's folders under their own names, but those of its system.
mount_machine() {
  local dir resolv=/etc/resolv.conf
  for dir in /*; do
    case $dir in
      /bin | /boot | /dev | /etc | /lib* | /lost+found | /proc | /run | /sbin | /sys | /usr | /var) ;;
      *) if [[ -d $dir && ! -L $dir ]]; then bind "$dir"; fi ;;
    esac
  done
  bind /var/tmp
  bind "$HOME_DIR"
  # Certificates of the network, read-only because packages in the root must not change the machine's.
  if [[ -d /etc/ssl/certs ]]; then bind /etc/ssl -o ro; fi
  bind /etc/hosts -o ro
  # Containers can't reach a resolver on the loopback interface, such as systemd-resolved.
  if [[ -f /run/systemd/resolve/resolv.conf ]]; then resolv=/run/systemd/resolve/resolv.conf; fi
  mount --bind -o ro "$resolv" "$ROOT/etc/resolv.conf"
}

bind() { # PATH mount's options...
  local path=$1
  shift
  if [[ -d $path ]]; then mkdir -p "$ROOT$path"; else touch "$ROOT$path"; fi
  mount --bind "$@" "$path" "$ROOT$path"
}
