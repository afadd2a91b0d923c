# shellcheck shell=bash
# A Kubernetes cluster with one node, in the private root and in a network of its own. No archive has a current one ready
# made: the components are built from Debian 12's source package. etcd, containerd and the network plugins are Debian 13's.

CLUSTER_FILES=${SELF%/*/*}/cluster
KUBERNETES=$HOME_DIR/kubernetes
# The network of nodes, pods and services: NET.0.0/16.
CLUSTER_NET=10.$((HOME_ID % 50 + 200))
GO=golang-1.19
CGROUP=kube$HOME_ID
# What the source package has; its archive doesn't say so.
KUBERNETES_VERSION=1.20.2
COMPONENTS="kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl"

cluster() { # build|start|stop|config|load IMAGE...
  case ${1:-} in
    build) build_cluster ;;
    start) start_cluster ;;
    stop) stop_cluster ;;
    config) print_config ;;
    load) shift && load_images "$@" ;;
    *) usage ;;
  esac
}

# Build the components, once for this home. It takes minutes, so other commands don't wait for it.
build_cluster() {
  check_machine
  mkdir -p "$KUBERNETES"
  exec 8>"$KUBERNETES/lock"
  flock 8
  if [[ ! -d $KUBERNETES/bin ]]; then
    say "building Kubernetes from Debian's source package (7 minutes; log: $KUBERNETES/build.log)"
    local folder=$KUBERNETES/build
    rm -rf "$folder"
    mkdir "$folder"
    (lock && unpack_source bookworm "$folder/src/k8s.io/kubernetes" kubernetes 8>&-)
    (lock && unpack_packages bookworm "$folder/go" $GO-go $GO-src 8>&-)
    build_components "$folder" >"$KUBERNETES/build.log" 2>&1 8>&- ||
      die_with_log "$KUBERNETES/build.log" "cannot build Kubernetes"
    mv "$folder/bin" "$KUBERNETES/bin"
    chmod -R u+w "$folder" # Go's caches are read-only.
    rm -rf "$folder"
  fi
  exec 8>&-
}

# Without cloud providers and Docker, which it takes minutes to compile.
build_components() ( # FOLDER
  set -e
  export GOROOT=$1/go/usr/lib/go-1.19 GOPATH=$1 GOCACHE=$1/cache GO111MODULE=off CGO_ENABLED=0 GOPROXY=off
  export PATH=$GOROOT/bin:$PATH
  cd "$1/src/k8s.io/kubernetes"
  version=$KUBERNETES_VERSION
  mkdir "$1/bin"
  # What upstream's Makefile generates, and its archive lacks.
  go build -o "$1/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
  packages=$(grep -rl --include='*.go' '+k8s:openapi-gen=' staging/src/k8s.io cmd pkg | grep -v zz_generated |
    xargs -n 1 dirname | sort -u | grep -Ev 'sample-|/testing|code-generator' |
    sed 's#^staging/src/##; s#^\(cmd\|pkg\)#k8s.io/kubernetes/\1#' | paste -sd ,)
  "$1/openapi-gen" --input-dirs "$packages" --output-package k8s.io/kubernetes/pkg/generated/openapi \
    --output-file-base zz_generated.openapi --go-header-file hack/boilerplate/boilerplate.generatego.txt \
    --report-filename "$1/violations" --output-base "$1/src"
  flags="-s -w"
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags+=" -X k8s.io/kubernetes/vendor/$package.gitVersion=v$version"
    flags+=" -X k8s.io/kubernetes/vendor/$package.gitMajor=${version%%.*}"
    flags+=" -X k8s.io/kubernetes/vendor/$package.gitMinor=$(cut -d. -f2 <<<"$version")"
  done
  # shellcheck disable=SC2046,SC2086 # a list
  go build -tags providerless,dockerless -ldflags "$flags" -o "$1/bin/" $(printf './cmd/%s ' $COMPONENTS)
  # The process that holds a pod's network.
  mkdir "$1/src/pause"
  cat >"$1/src/pause/main.go" <<'GO'
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
}
GO
  go build -ldflags "-s -w" -o "$1/bin/pause" pause
)

start_cluster() {
  build_cluster
  use_engine
  lock
  if is_running kubernetes; then say "the cluster already runs"; return; fi
  provision
  install_in_root /usr/lib/cni/bridge etcd-server containernetworking-plugins
  say "starting Kubernetes (logs: $KUBERNETES/run/*.log)"
  remove_cluster_state
  mkdir -p "$KUBERNETES/run"
  make_cluster_keys "$KUBERNETES/run"
  make_pause_image "$KUBERNETES/run"
  UNSHARE="--net --uts" start_process kubernetes bash "$CLUSTER_FILES/node.sh" "$KUBERNETES" "$CLUSTER_NET" "$CGROUP"
  connect_cluster "$(<"$HOME_DIR/kubernetes.pid")"
  wait_for_process kubernetes test -e "$KUBERNETES/run/ready"
  say "ready: $("$KUBERNETES/bin/kubelet" --version)"
}

stop_cluster() {
  if is_running kubernetes; then
    check_machine
    lock
    stop_process kubernetes
    remove_cluster_state
  else
    say "the cluster does not run"
  fi
}

# Remove what the last cluster left: its data, and the control groups of its pods.
remove_cluster_state() {
  local group
  for group in /sys/fs/cgroup/*/"$CGROUP" /sys/fs/cgroup/"$CGROUP"; do
    if [[ -d $group ]]; then find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true; fi
  done
  rm -rf "$KUBERNETES/run"
}

# The key that signs tokens of service accounts, and an administrator's token.
make_cluster_keys() { # FOLDER
  local token
  token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  run_in_root openssl genrsa -out "$1/service-accounts.key" 2048 2>/dev/null
  echo "$token,admin,admin,\"system:masters\"" >"$1/tokens.csv"
  cat >"$1/kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters:
  - name: engine
    cluster: {server: "https://$CLUSTER_NET.0.2:6443", certificate-authority: $1/keys/apiserver.crt}
users:
  - {name: admin, user: {token: $token}}
contexts:
  - {name: engine, context: {cluster: engine, user: admin}}
current-context: engine
YAML
  chmod 600 "$1"/{service-accounts.key,tokens.csv,kubeconfig}
}

make_pause_image() { # FOLDER
  tar -C "$KUBERNETES/bin" -c pause | docker import --change 'ENTRYPOINT ["/pause"]' - engine-pause:1 >/dev/null
  docker save engine-pause:1 >"$1/pause.tar"
}

# Give this machine a way to the node. It ends with the node's network.
connect_cluster() { # PID of a process in it
  # Not `run_in_root`: process numbers have to be this machine's.
  # shellcheck disable=SC2016 # expanded there
  unshare --mount --propagation private sh -euc '
    mount --bind /proc "$0/proc"
    chroot "$0" ip link add "$1" type veth peer name eth0 netns "$2"
    chroot "$0" ip address add "$3" dev "$1"
    chroot "$0" ip link set "$1" up
  ' "$ROOT" "kube$((HOME_ID % 100000))" "$1" "$CLUSTER_NET.0.1/30"
}

print_config() {
  is_running kubernetes || die "the cluster does not run: run '$0 cluster start'"
  echo "$KUBERNETES/run/kubeconfig"
}

# Copy images from the engine to the node; print each one's reference with its digest.
load_images() { # IMAGE...
  is_running kubernetes || die "the cluster does not run: run '$0 cluster start'"
  [[ $# -gt 0 ]] || usage
  use_engine
  local image pid
  # The only child of the recorded process is process 1 of the node.
  pid=$(<"$HOME_DIR/kubernetes.pid")
  pid=$(xargs <"/proc/$pid/task/$pid/children")
  for image; do
    docker save "$image" | nsenter --target "$pid" --mount --pid --net bash "$CLUSTER_FILES/load.sh" "$image"
  done
}
