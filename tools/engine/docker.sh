# shellcheck shell=bash
# The container engine: which one is running, and the private one's start and stop.

SOCKET=unix://$HOME_DIR/docker.sock
# Bridge and network depend on the home, so that engines with different homes don't share them.
HOME_ID=$(cksum <<<"$HOME_DIR" | cut -d' ' -f1)
BRIDGE=engine$((HOME_ID % 100000))
NET=${ENGINE_NET:-10.$((HOME_ID % 100 + 100))}

version() { timeout 10 docker version --format '{{.Server.Version}}' 2>/dev/null; }
use_private() { export DOCKER_HOST=$SOCKET DOCKER_CONFIG=$HOME_DIR/config PATH=$HOME_DIR/bin:$PATH; }
private_version() { [[ -S $HOME_DIR/docker.sock ]] && (use_private && version); }

which_engine() { # prints: ordinary|private VERSION
  local found
  if [[ ${DOCKER_HOST:-} != "$SOCKET" ]] && found=$(version); then
    echo "ordinary $found"
  elif found=$(private_version); then
    echo "private $found"
  else
    return 1
  fi
}

use_engine() {
  local found
  found=$(which_engine) || die "no engine is running: run '$0 start'"
  if [[ $found == private* ]]; then use_private; fi
}

status() {
  local found
  found=$(which_engine) || die "no engine is running"
  case $found in
    ordinary*) echo "the ordinary engine is running: ${found#* }" ;;
    private*) echo "the private engine is running: ${found#* } at $SOCKET" ;;
  esac
}

print_env() {
  local found
  found=$(which_engine) || die "no engine is running: run '$0 start'"
  [[ $found == private* ]] || return 0
  # shellcheck disable=SC2016 # $PATH is for the shell that evaluates this
  printf 'export DOCKER_HOST=%q\nexport DOCKER_CONFIG=%q\nexport PATH=%q:"$PATH"\n' \
    "$SOCKET" "$HOME_DIR/config" "$HOME_DIR/bin"
}

start() {
  local found
  if found=$(which_engine); then say "nothing to do: the engine is running ($found)"; return; fi
  check_machine
  lock
  if found=$(which_engine); then say "nothing to do: the engine is running ($found)"; return; fi
  provision
  if ! is_running dockerd; then start_dockerd; fi
  wait_for_process dockerd private_version
  say "ready: $(private_version)"
}

start_dockerd() {
  say "starting dockerd (log: $HOME_DIR/dockerd.log)"
  rm -rf "$HOME_DIR/exec" "$HOME_DIR/docker.sock" # left behind by a dockerd that was killed
  # dockerd must not remember its networks: at start, one that remembers its bridge network and has an address pool of
  # its own deletes docker0, which belongs to the ordinary engine.
  rm -rf "$HOME_DIR/data/network"
  network up || die "cannot set up the network $NET.0.0/16: does this machine allow bridges and iptables?"
  start_process dockerd dockerd --host "$SOCKET" --data-root "$HOME_DIR/data" --exec-root "$HOME_DIR/exec" \
    --pidfile "$HOME_DIR/exec/dockerd.pid" --iptables=false --ip6tables=false --bridge "$BRIDGE" \
    --default-address-pool "base=$NET.0.0/16,size=24"
}

stop() {
  [[ -d $ROOT ]] || { say "not running"; return; }
  check_machine
  lock
  stop_process registry
  if is_running kubernetes; then stop_process kubernetes; remove_cluster_state; fi
  if is_running dockerd || [[ -e /sys/class/net/$BRIDGE ]]; then
    stop_process dockerd
    network down
    rm -rf "$HOME_DIR/exec" "$HOME_DIR/docker.sock"
    say "stopped"
  else
    say "not running"
  fi
}

# Two dockerd on one machine delete each other's iptables rules, so this one makes none (--iptables=false). Published
# ports go through docker-proxy; with one address range for all networks, three rules suffice for the rest.
# shellcheck disable=SC2016 # expanded in the root
NETWORK_SCRIPT='
  action=$0 bridge=$1 net=$2
  delete_all() {
    while iptables -w -D "$@" 2>/dev/null; do :; done
  }
  for rule in \
    "POSTROUTING -t nat -s $net.0.0/16 ! -d $net.0.0/16 -j MASQUERADE" \
    "FORWARD -s $net.0.0/16 -j ACCEPT" \
    "FORWARD -d $net.0.0/16 -j ACCEPT"
  do
    delete_all $rule
    [ "$action" = down ] || iptables -w -I $rule
  done
  if [ "$action" = up ]; then
    # Without a MAC address of its own, a bridge takes that of one of its containers. It changes as containers come and
    # go, and packets are lost until the neighbours have noticed.
    mac=$(printf "02:42:%02x:%02x:00:01" "${net%.*}" "${net#*.}")
    ip link show "$bridge" >/dev/null 2>&1 || ip link add "$bridge" address "$mac" type bridge
    ip address replace "$net.0.1/24" dev "$bridge"
    ip link set "$bridge" up
  else # every bridge in the address range: also those of networks that users made
    ip -o -4 address show | awk -v net="$net." "index(\$4, net) == 1 { print \$2 }" | xargs -r -n 1 ip link delete
  fi
'

network() { # up|down
  run_in_root sh -euc "$NETWORK_SCRIPT" "$1" "$BRIDGE" "$NET"
}
