#!/bin/sh
set -e
flask --app orders db upgrade
exec "$@"
