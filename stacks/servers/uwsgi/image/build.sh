# Compile uWSGI without the plugins that etc/uwsgi.ini doesn't use. Add those that you use, then empty the cache mount:
# `docker builder prune --filter type=exec.cachemount`. See https://uwsgi-docs.readthedocs.io/en/latest/BuildSystem.html
export UWSGI_PROFILE_OVERRIDE=embedded_plugins=python,gevent,cheaper_busyness
