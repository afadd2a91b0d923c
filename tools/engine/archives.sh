# shellcheck shell=bash
# Debian's package archives: sources, package lists, single packages, and whole systems.

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# Print the mirror that this machine's own apt uses for its own release.
machine_mirror() { # SUFFIX of the suite: "" or "-security"
  local release
  release=$(os_release VERSION_CODENAME)
  # shellcheck disable=SC2016 # apt's own variables
  apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
    awk -v suite="$release$1" '$2 == suite && !seen++ { print $1 }'
}

# Print the lines of a sources.list.
sources() { # SUITE
  local mirror security
  mirror=${ENGINE_MIRROR:-$(machine_mirror "")}
  [[ $mirror ]] || die "apt's sources name no mirror for this Debian release: set ENGINE_MIRROR=http://HOST/debian"
  if [[ $1 == forky ]]; then # Debian's testing release: its lists expire after a week, and a mirror may lag behind.
    echo "deb [signed-by=$KEYRING check-valid-until=no] $mirror $1 main"
    return
  fi
  echo "deb [signed-by=$KEYRING] $mirror $1 main"
  echo "deb [signed-by=$KEYRING] $mirror $1-updates main"
  security=$(machine_mirror -security)
  if [[ $security ]]; then echo "deb [signed-by=$KEYRING] $security $1-security main"; fi
}

# Fetch the package lists of a suite; print the path of the apt configuration that uses them.
lists() { # SUITE deb|deb-src
  [[ $# == 1 || ${2:-} == deb-src ]] || usage
  check_system
  local dir=$HOME_DIR/lists/$1${2:+-sources}
  mkdir -p "$dir"/{archives,lists}/partial
  sources "$1" | sed "s/^deb /${2:-deb} /" >"$dir/sources.list"
  touch "$dir/status"
  apt_configuration "$dir" >"$dir/apt.conf"
  LC_ALL=C APT_CONFIG=$dir/apt.conf apt-get update -q --error-on=any >"$dir/update.log" 2>&1 </dev/null ||
    die_with_log "$dir/update.log" "cannot fetch the package lists of $1"
  echo "$dir/apt.conf"
}

# Separate lists need every path of apt replaced. Only the network settings are the machine's own.
apt_configuration() { # DIR
  apt-config dump --format '%F "%v";%n' Acquire::http Acquire::https
  cat <<CONF
APT::Sandbox::User "root";
Acquire::Languages "none";
Dir::Cache "$1";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::sourcelist "$1/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State "$1";
Dir::State::status "$1/status";
CONF
}

die_with_log() { # LOG MESSAGE
  show_log_end "$1"
  if grep -Eq '^[EW]: .*(resolv|onnect|timed out)' "$1"; then
    say "Set ENGINE_MIRROR to a mirror of Debian that this machine reaches."
  fi
  die "$2 (log: $1)"
}

# Unpack packages into a folder, without their dependencies.
unpack_packages() { # SUITE TARGET PACKAGE...
  local suite=$1 target=$2 conf dir deb
  shift 2
  conf=$(lists "$suite")
  dir=$(mktemp -d "$HOME_DIR/debs.XXXXXX")
  (cd "$dir" && LC_ALL=C APT_CONFIG=$conf apt-get download -q "$@" >log 2>&1 </dev/null) ||
    die_with_log "$dir/log" "cannot download $*"
  rm -rf "$target.new"
  mkdir "$target.new"
  for deb in "$dir"/*.deb; do dpkg-deb --extract "$deb" "$target.new"; done
  mv "$target.new" "$target" # renamed last, so that a folder of this name is always complete
  rm -rf "$dir"
}

# Unpack a source package into a folder, as upstream released it.
unpack_source() { # SUITE TARGET PACKAGE
  local suite=$1 target=$2 package=$3 conf dir
  conf=$(lists "$suite" deb-src)
  dir=$(mktemp -d "$HOME_DIR/debs.XXXXXX")
  (cd "$dir" && LC_ALL=C APT_CONFIG=$conf apt-get source -q --download-only "$package" >log 2>&1 </dev/null) ||
    die_with_log "$dir/log" "cannot download the source of $package"
  mkdir -p "$target"
  tar -C "$target" --strip-components 1 -xf "$dir"/*.orig.tar.*
  rm -rf "$dir"
}

# Install a minimal system into a folder or an archive.
bootstrap() { # SUITE TARGET mmdebstrap's options...
  local suite=$1 target=$2 list
  shift 2
  check_machine
  if ! command -v mmdebstrap >/dev/null; then
    say "installing mmdebstrap on this machine with apt"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends mmdebstrap; } \
      >/dev/null ||
      die "apt cannot install mmdebstrap: does 'apt-get update' reach its mirror?"
  fi
  list=$(sources "$suite")
  LC_ALL=C mmdebstrap --variant=minbase "$@" "$suite" "$target" - <<<"$list" >"$HOME_DIR/bootstrap.log" 2>&1 ||
    die_with_log "$HOME_DIR/bootstrap.log" "cannot bootstrap $suite"
}
