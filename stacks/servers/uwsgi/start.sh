if [ "${LOG_FORMAT-}" = json ]; then
  # uWSGI turns its own messages into JSON. For that it replaces standard output by a pipe, which cuts long lines, so
  # the application writes to the original one.
  export LOG_FD=3
fi
exec {{ stack.server.start }} "$@" 3>&1
