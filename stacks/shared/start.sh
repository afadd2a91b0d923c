{% if stack.server.config.endswith(".env") %}
set -a
# shellcheck source=/dev/null
. /app/etc/{{ stack.server.config }}
set +a
{% endif %}
exec python -P /app/etc/serve.py {{ stack.server.start | replace(" --log-config", " \\\n  --log-config") }} "$@"
