# Import the application before the server does, so that the reason of a failed start is logged once, as the last line.
# Otherwise each worker would log it, with some servers repeatedly.
python -c 'import {{ package_name }}.{{ stack.interface }}'

{% if stack.server.config.endswith(".env") %}
set -a
# shellcheck source=/dev/null
. /app/etc/{{ stack.server.config }}
set +a
{% endif %}
exec {{ stack.server.start | replace(" --log-config", " \\\n  --log-config") }} "$@"
