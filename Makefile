# Two commands for people who work on the template; both set up what they need.
#
#   make demo [DIR=path] [SERVE=1]   scaffold a service, start it, fetch its pages
#   make test [ARGS=...]             run every test, or those that pytest's ARGS select

.PHONY: demo test

demo:
	@PYTHONPATH=tasks tools/run python tools/demo.py $(if $(DIR),--dir "$(DIR)") $(if $(SERVE),--serve)

test:
	@tools/run ruff check
	@tools/run ruff format --check
	@tools/run shellcheck tools/run tools/engine .ci/run
	@tools/run pytest --numprocesses 2 --dist loadgroup $(ARGS)
