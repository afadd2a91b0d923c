#!/usr/bin/env bash
# Called on the cluster's node: import an image from standard input, and print its reference with its digest.
set -euo pipefail
name=$1
[[ $name == */* ]] || name=library/$name
[[ ${name%%/*} == *[.:]* || $name == localhost/* ]] || name=docker.io/$name
[[ ${name##*/} == *:* ]] || name+=:latest
ctr --namespace k8s.io images import - >/dev/null
digest=$(ctr --namespace k8s.io images list "name==$name" | awk 'NR == 2 { print $3 }')
reference=${name%:*}@$digest
ctr --namespace k8s.io images tag --force "$name" "$reference" >/dev/null
echo "$reference"
