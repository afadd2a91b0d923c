# shellcheck shell=bash
# Stand-ins: base images that can't be pulled, made here from packages under the same names.

IMAGE_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

stand_ins() { # IMAGE...
  [[ $# -gt 0 ]] || usage
  use_engine
  local image
  for image; do provide_image "$image"; done
}

provide_image() { # IMAGE
  local image=$1
  if is_present "$image"; then return; fi
  if can_pull "$image"; then
    say "pulling $image"
    if timeout 300 docker pull --quiet "$image" >/dev/null 2>&1; then return; fi
  fi
  lock
  if is_present "$image"; then return; fi # made while this command waited for the lock
  mkdir -p "$HOME_DIR/stand-ins"
  make_stand_in "$image" "$HOME_DIR/stand-ins/${image//[\/:]/_}.tar"
}

is_present() { docker image inspect "$1" >/dev/null 2>&1; } # IMAGE

# The private engine pulls from registries themselves: without a proxy, a connection shows in no time that one can't be
# reached, where a pull may wait long. Another engine may have a mirror that this machine knows nothing about.
can_pull() { # IMAGE
  local registry=registry-1.docker.io
  if [[ $1 == *.*/* ]]; then registry=${1%%/*}; fi
  [[ $registry == *:* ]] || registry+=:443
  [[ ${DOCKER_HOST:-} != "$SOCKET" || ${HTTPS_PROXY:-}${https_proxy:-} ]] ||
    timeout 3 bash -c "exec 3<>/dev/tcp/${registry/://}" 2>/dev/null
}

make_stand_in() { # IMAGE TAR
  local image=$1 tar=$2 notice="cannot be pulled; making a STAND-IN for $1 from"
  case $image in
    debian:trixie-slim | debian:bookworm-slim)
      say "$notice Debian's packages"
      [[ -f $tar ]] || debian_tar "${image#debian:}" "$tar"
      import_tar "$image" "$tar" 'CMD ["bash"]' "ENV PATH=$IMAGE_PATH"
      ;;
    python:3.14-slim-trixie)
      say "$notice Debian's packages"
      [[ -f $tar ]] || python_tar 3.14 "$tar"
      import_tar "$image" "$tar" 'CMD ["python3"]' "ENV PATH=/usr/local/bin:$IMAGE_PATH"
      ;;
    nginx:1.28)
      say "$notice Debian's packages"
      [[ -f $tar ]] || base_tar trixie "$tar" --include=nginx-light
      import_tar "$image" "$tar" 'CMD ["nginx", "-g", "daemon off;"]' 'EXPOSE 80' 'STOPSIGNAL SIGQUIT' "ENV PATH=$IMAGE_PATH"
      ;;
    postgres:17)
      say "$notice Debian's packages"
      [[ -f $tar ]] || postgresql_tar 17 "$tar"
      import_tar "$image" "$tar" 'ENTRYPOINT ["postgresql-entrypoint.sh"]' 'CMD ["postgres"]' 'USER postgres' \
        'VOLUME /var/lib/postgresql/data' 'EXPOSE 5432' 'STOPSIGNAL SIGINT' \
        "ENV PATH=$IMAGE_PATH:/usr/lib/postgresql/17/bin PGDATA=/var/lib/postgresql/data PGHOST=/tmp"
      ;;
    ghcr.io/astral-sh/uv:[0-9]*)
      say "$notice uv's wheel"
      [[ -f $tar ]] || uv_tar "${image##*:}" "$tar"
      import_tar "$image" "$tar" 'ENTRYPOINT ["/uv"]' 'WORKDIR /io'
      ;;
    *) die "$image is not present, cannot be pulled, and has no stand-in." \
      "There are some for the base images of all platforms but Ubuntu, nginx:1.28, postgres:17 and ghcr.io/astral-sh/uv:VERSION" ;;
  esac
}

import_tar() { # IMAGE TAR CHANGE...
  local image=$1 tar=$2 change changes=(--change 'LABEL stand-in=true')
  shift 2
  for change; do changes+=(--change "$change"); done
  docker import "${changes[@]}" "$tar" "$image" >/dev/null
}

# Like the official images: without documentation and locales, and with apt set up to keep layers small.
base_tar() { # SUITE TAR mmdebstrap's options...
  local suite=$1 tar=$2 conf="$HOME_DIR/stand-ins/apt.conf" path options=()
  shift 2
  for path in doc groff info linda lintian locale man; do options+=(--dpkgopt="path-exclude=/usr/share/$path/*"); done
  image_apt_configuration >"$conf"
  # shellcheck disable=SC2016 # mmdebstrap's $1
  bootstrap "$suite" "$tar.new.tar" "${options[@]}" --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-include=/usr/share/locale/locale.alias' --dpkgopt=force-unsafe-io \
    --customize-hook="copy-in $conf /tmp" \
    --customize-hook='mv "$1/tmp/apt.conf" "$1/etc/apt/apt.conf.d/docker-clean"' "$@" \
    --customize-hook='find "$1/var/cache/apt" "$1/var/cache/ldconfig" "$1/var/log" -type f -delete'
  mv "$tar.new.tar" "$tar"
}

image_apt_configuration() {
  cat <<'CONF'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::GzipIndexes "true";
Acquire::Languages "none";
Apt::AutoRemove::SuggestsImportant "false";
CONF
}

debian_tar() { # trixie-slim TAR
  local options=()
  # With /usr merged from the start, bookworm doesn't need usrmerge, which brings Perl.
  if [[ $1 == bookworm-slim ]]; then
    options+=(--include=usr-is-merged --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr)
  fi
  base_tar "${1%-slim}" "$2" "${options[@]}"
}

# Differences to the official image: there is no pip; python3.14 is linked to libpython statically, and
# libpython3.14.so serves other programs only; modules that `unpack_python` removes are missing.
python_tar() { # VERSION TAR
  local dir
  dir=$(mktemp -d "$HOME_DIR/python.XXXXXX")
  unpack_python "$1" "$dir/local" /usr/local
  # shellcheck disable=SC2016 # mmdebstrap's $1
  base_tar trixie "$2" --include="ca-certificates netbase tzdata $PYTHON_LIBRARIES" \
    --customize-hook="sync-in $dir/local /usr/local" \
    --customize-hook='chroot "$1" ldconfig'
  rm -rf "$dir"
}

# Of the official image's variables, it reads POSTGRES_PASSWORD, POSTGRES_PASSWORD_FILE, POSTGRES_USER and POSTGRES_DB.
# It runs as the user postgres from the start. There are no scripts in /docker-entrypoint-initdb.d.
postgresql_tar() { # VERSION TAR
  # shellcheck disable=SC2016 # mmdebstrap's $1
  base_tar trixie "$2" --include="postgresql-common" \
    --customize-hook='sed -i "s/^#*create_main_cluster.*/create_main_cluster = false/" \
      "$1/etc/postgresql-common/createcluster.conf"' \
    --customize-hook="chroot \"\$1\" apt-get install --yes --no-install-recommends postgresql-$1" \
    --customize-hook='chroot "$1" install -d -o postgres -g postgres -m 700 /var/lib/postgresql/data' \
    --customize-hook="copy-in ${SELF%/*}/postgresql-entrypoint.sh /usr/local/bin"
}

# The musl wheel contains the static binaries of the official image.
uv_tar() { # VERSION TAR
  local dir machine
  dir=$(mktemp -d) machine=$(uname -m)
  if command -v uv >/dev/null; then
    uv pip install -qq --no-deps --target "$dir" --only-binary :all: \
      --python-platform "$machine-unknown-linux-musl" "uv==$1" >&2
  else
    python3 -m pip install -qq --no-deps --target "$dir" --only-binary :all: \
      --platform "musllinux_1_1_$machine" "uv==$1" >&2
  fi ||
    die "cannot install uv==$1: is there such a release, and does this machine reach a package index?"
  tar --create --owner=0 --group=0 --file "$2.new" --directory "$dir/bin" uv uvx
  mv "$2.new" "$2"
  rm -rf "$dir"
}
