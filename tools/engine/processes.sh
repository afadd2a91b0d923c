# shellcheck shell=bash
# Background processes in the private root, each with a PID file and a log below $HOME_DIR.

# $UNSHARE has more options of unshare, such as for a network of its own.
start_process() { # NAME COMMAND...
  local name=$1
  shift
  cd / # A working directory elsewhere could not be unmounted or deleted.
  # shellcheck disable=SC2086 # a list
  ENGINE_HOME=$HOME_DIR setsid unshare --mount --propagation private --pid --fork --kill-child ${UNSHARE:-} \
    "$SELF" enter "$HOME_DIR" "$@" >"$HOME_DIR/$name.log" 2>&1 </dev/null 9>&- &
  echo $! >"$HOME_DIR/$name.pid"
  # The new process is a copy of this script until it has started unshare.
  until is_running "$name" || ! kill -0 $! 2>/dev/null; do sleep 0.05; done
  disown
}

# Check the command line too: after the recorded process ended, its PID may have been reused.
is_running() { # NAME
  [[ -s $HOME_DIR/$1.pid ]] &&
    [[ $({ tr '\0' ' ' <"/proc/$(<"$HOME_DIR/$1.pid")/cmdline"; } 2>/dev/null) == *"enter $HOME_DIR "* ]]
}

# Wait until a command succeeds, at most 30 s.
wait_for_process() { # NAME COMMAND...
  local name=$1
  shift
  for _ in {1..150}; do
    if "$@" >/dev/null; then return; fi
    is_running "$name" || break
    sleep 0.2
  done
  show_log_end "$HOME_DIR/$name.log"
  stop_process "$name"
  die "$name does not respond; the end of its log is above (log: $HOME_DIR/$name.log)"
}

# Stop a process with SIGTERM, and with SIGKILL after 40 s.
stop_process() { # NAME
  local pid
  if is_running "$1"; then
    pid=$(<"$HOME_DIR/$1.pid")
    say "stopping $1"
    # unshare doesn't forward signals, so its only child gets it. Bash's own kill: a small system may lack the program.
    kill -TERM "$(xargs <"/proc/$pid/task/$pid/children")" || true
    for _ in {1..200}; do is_running "$1" || break; sleep 0.2; done
    if is_running "$1"; then
      say "$1 still runs after 40 s: killing it"
      kill -KILL "$pid"
      while is_running "$1"; do sleep 0.1; done
    fi
  fi
  rm -f "$HOME_DIR/$1.pid"
}
