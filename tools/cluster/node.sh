#!/usr/bin/env bash
# Called by `engine cluster start` as process 1 of the node, in the private root: all components of Kubernetes.
set -euo pipefail

DIR=$1 NET=$2 CGROUP=$3
PODS=$NET.1.0/24 SERVICES=$NET.2.0/24
export PATH=$DIR/bin:$PATH KUBECONFIG=$DIR/run/kubeconfig
cd "$DIR/run"

# Components log to a file each; when one ends, so does the node.
run() { # NAME COMMAND...
  local name=$1
  shift
  "$@" >"$name.log" 2>&1 &
}

wait_for() { # COMMAND...
  for _ in {1..600}; do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  echo "$* did not succeed within a minute" >&2
  exit 1
}

network() {
  hostname node
  wait_for ip link show eth0
  ip link set lo up
  ip address add "$NET.0.2/30" dev eth0
  ip link set eth0 up
  ip route add default via "$NET.0.1"
  sysctl -q net.ipv4.ip_forward=1 2>/dev/null || echo 1 >/proc/sys/net/ipv4/ip_forward
  mkdir -p cni
  cat >cni/10-bridge.conflist <<JSON
{"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true,
  "hairpinMode": true, "ipam": {"type": "host-local", "subnet": "$PODS", "routes": [{"dst": "0.0.0.0/0"}]}}]}
JSON
}

control_plane() {
  run etcd etcd --data-dir etcd --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --unsafe-no-fsync
  # Pods have to keep to a PodSecurityPolicy; it is what this version has instead of the Pod Security Standards.
  run apiserver kube-apiserver --etcd-servers http://127.0.0.1:2379 --service-cluster-ip-range "$SERVICES" \
    --advertise-address "$NET.0.2" --bind-address "$NET.0.2" --secure-port 6443 --cert-dir keys \
    --token-auth-file tokens.csv --authorization-mode Node,RBAC --enable-admission-plugins PodSecurityPolicy \
    --service-account-key-file service-accounts.key --service-account-signing-key-file service-accounts.key \
    --service-account-issuer https://kubernetes --allow-privileged=true --kubelet-preferred-address-types InternalIP
  wait_for kubectl get --raw /readyz
  run controller-manager kube-controller-manager --kubeconfig kubeconfig --use-service-account-credentials \
    --service-account-private-key-file service-accounts.key --root-ca-file keys/apiserver.crt \
    --leader-elect=false --port=0 --cert-dir keys/controller-manager
  run scheduler kube-scheduler --kubeconfig kubeconfig --leader-elect=false --port=0 --cert-dir keys/scheduler
}

containers() {
  mkdir -p containerd
  cat >containerd.toml <<TOML
version = 2
root = "$DIR/run/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "docker.io/library/engine-pause:1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$DIR/run/cni"
TOML
  run containerd containerd --config containerd.toml
  wait_for ctr version
  ctr --namespace k8s.io images import pause.tar >/dev/null
}

node() {
  local controller
  # A cpuset without CPUs takes no process.
  for controller in /sys/fs/cgroup/*/; do
    case $controller in */unified/) continue ;; esac
    mkdir -p "$controller/$CGROUP"
    if [[ -e $controller/cpuset.cpus ]]; then
      cat "$controller/cpuset.cpus" >"$controller/$CGROUP/cpuset.cpus"
      cat "$controller/cpuset.mems" >"$controller/$CGROUP/cpuset.mems"
    fi
  done
  [[ -s /etc/machine-id ]] || tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
  mkdir -p kubelet
  cat >kubelet.yaml <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
address: $NET.0.2
cgroupDriver: cgroupfs
cgroupRoot: /$CGROUP
failSwapOn: false
readOnlyPort: 0
resolvConf: ""
evictionHard: {memory.available: 100Mi}
YAML
  run kubelet kubelet --config kubelet.yaml --kubeconfig kubeconfig --container-runtime=remote \
    --container-runtime-endpoint unix:///run/containerd/containerd.sock --hostname-override node --node-ip "$NET.0.2" \
    --root-dir "$DIR/run/kubelet" --cert-dir keys/kubelet
  # --masquerade-all: without the kernel's br_netfilter, replies of pods on the same bridge would bypass the translation of
  # addresses. --iptables-min-sync-period: the node learns late of new and removed pods, as in a large cluster.
  run proxy kube-proxy --kubeconfig kubeconfig --proxy-mode iptables --masquerade-all --hostname-override node \
    --iptables-min-sync-period 2s \
    --conntrack-max-per-core 0 --conntrack-tcp-timeout-established 0 --conntrack-tcp-timeout-close-wait 0
  wait_for kubectl wait --for condition=Ready node/node --timeout 1s
}

mount --make-rshared /
network
containers
control_plane
kubectl apply --filename "${0%/*}/policies.yaml" >policies.log
node
touch ready
wait -n
echo "a component has ended: see $DIR/run/*.log" >&2
exit 1
