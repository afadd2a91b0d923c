# shellcheck shell=bash
# CPython from Debian's packages, moved to another prefix: a release doesn't have the other releases' Pythons.

PYTHON_LIBRARIES="libbz2-1.0 libexpat1 libffi8 liblzma5 libncursesw6 libreadline8t64 libsqlite3-0 libssl3t64 libtinfo6
  libuuid1 libzstd1 zlib1g"

# Print the path of a Python for this machine. It comes with Debian 13's C library: the machine's may be too old.
python() { # VERSION
  [[ ${1:-} =~ ^3\.1[34]$ ]] || usage
  check_system
  local dir=$HOME_DIR/python$1
  lock
  if [[ ! -d $dir ]]; then
    say "making a Python $1 from Debian's packages"
    rm -rf "$dir".new*
    unpack_python "$1" "$dir.new" "$dir"
    # shellcheck disable=SC2086 # a list
    unpack_packages trixie "$dir.new/libraries" libc6 libgcc-s1 libstdc++6 $PYTHON_LIBRARIES
    wrap_python "python$1" "$dir.new" "$dir"
    mv "$dir.new" "$dir"
  fi
  echo "$dir/bin/python$1"
}

# Replace the program with a script that starts it with the libraries next to it.
wrap_python() { # pythonVERSION FOLDER its final FOLDER
  local python=$1 folder=$2 final=$3 libraries
  libraries=$(cd "$folder" && dirname libraries/usr/lib/*/libc.so.6)
  mv "$folder/bin/$python" "$folder/bin/$python-itself"
  cat >"$folder/bin/$python" <<SH
#!/bin/sh
exec $final/$libraries/ld-linux-*.so.* --library-path $final/$libraries --argv0 "\$0" $final/bin/$python-itself "\$@"
SH
  chmod 755 "$folder/bin/$python"
}

# Unpack a Python and move it from /usr to another prefix. Its layout is that of `make install`: with site-packages
# instead of dist-packages, and without byte code.
unpack_python() { # VERSION FOLDER PREFIX
  local python=python$1 folder=$2 prefix=$3 debian=$2.debian suite=forky triple
  if [[ $1 == 3.13 ]]; then suite=trixie; fi
  unpack_packages $suite "$debian" "$python-minimal" "$python-dev" "lib$python" "lib$python"-{minimal,stdlib,dev}
  triple=$(basename "$debian"/usr/lib/*-linux-*)
  move_python "$python" "$debian" "$triple" "$folder"
  relocate_python "$python" "$folder" "$triple" "$prefix"
  rm -rf "$debian"
}

move_python() { # pythonVERSION DEBIAN TRIPLE FOLDER
  local python=$1 debian=$2 triple=$3 folder=$4
  mkdir -p "$folder"/{bin,include,lib}
  mv "$debian/usr/bin/$python" "$folder/bin/"
  mv "$debian/usr/bin/$triple-$python-config" "$folder/bin/$python-config"
  mv "$debian/usr/lib/$python" "$debian/usr/lib/$triple/lib$python".so* "$folder/lib/"
  mv "$debian/usr/include/$python" "$folder/include/"
  mv "$debian/usr/include/$triple/$python/pyconfig.h" "$folder/include/$python/"
  ln -s "$python" "$folder/bin/python3"
  ln -s "$python" "$folder/bin/python"
  ln -s "$python-config" "$folder/bin/python3-config"
  ln -sf "../../lib$python.so" "$folder/lib/$python"/config-*/
}

relocate_python() ( # pythonVERSION FOLDER TRIPLE PREFIX
  python=$1 folder=$2 triple=$3 prefix=$4
  cd "$folder/lib/$python" || exit
  shopt -s nullglob # Python 3.13 has no JSON files about its build.
  rm EXTERNALLY-MANAGED _distutils_system_mod.py sitecustomize.py
  [[ $python == python3.13 ]] || rm lib-dynload/termios.* # Debian 13's C library is too old for the next release's.
  sed -i "s/prefix_scheme = 'posix_local'/prefix_scheme = 'posix_prefix'/" sysconfig/__init__.py
  sed -i 's/if is_virtual_environment:/if True:/' site.py
  # The paths of the build, which `sysconfig` and `python3-config` report.
  sed -Ei "s#/usr/(lib|include)#$prefix/\1#g; s#/usr/bin([/'\"]|\$)#$prefix/bin\1#g
    s#([='\"])/usr([ '\"]|\$)#\1$prefix\2#g; s#$prefix/lib/$triple#$prefix/lib#g; s#$triple-(gcc|g\+\+)#\1#g" \
    _sysconfigdata__linux_*.py _sysconfig_vars*.json build-details*.json config-*/Makefile \
    config-*/python-config.py "$folder/bin/$python-config"
)
