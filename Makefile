# Commands for people who work on the template; all set up what they need. `make` prints them.
#
#   make demo [DIR=path] [SVG=file]   make a service, check it, build its image, start it, send requests, stop it
#   make test [ARGS=...]              run the tests, or those that pytest's ARGS select: 10 minutes on two cores
#   make test-fast [ARGS=...]         run those that need neither a container engine nor a package index: a minute
#   make test-all [ARGS=...]          run slow tests, too, and those on a Kubernetes cluster, as before a release
#   make benchmark [ARGS=...]         measure the image beside others, in 5 minutes; with --frameworks, the other stacks
#   make release VERSION=1.0.0        tag a release on main that has passed test-all, and test it

PYTEST = tools/run pytest --durations 10 --junitxml .pytest_cache/results.xml

.PHONY: benchmark demo help lint release test test-all test-fast

help:
	@sed -n 's/^#   //p' Makefile

benchmark:
	@PYTHONPATH=tasks:tools tools/run python benchmarks/run.py $(ARGS)

demo:
	@PYTHONPATH=tasks tools/run python tools/demo.py $(if $(DIR),--dir "$(DIR)") $(if $(SVG),--svg "$(SVG)")

lint:
	@tools/run ruff check
	@tools/run ruff format --check
	@tools/run shellcheck tools/run tools/engine/* tools/cluster/*.sh .ci/run

release:
	@tools/run python tools/release.py "$(VERSION)" $(ARGS)

test: lint
	@$(PYTEST) --numprocesses 3 --ignore tests/cluster $(ARGS)

# The cluster needs both cores for itself, or its probes fail.
test-all: lint
	@$(PYTEST) --numprocesses 3 --ignore tests/cluster --slow $(ARGS)
	@$(PYTEST) --junitxml .pytest_cache/cluster.xml --numprocesses 0 --slow tests/cluster $(ARGS)
	@[ -n "$(ARGS)" ] || tools/run python tools/tested.py

test-fast:
	@tools/run ruff check
	@tools/run pytest --numprocesses 2 tests/extensions tests/render $(ARGS)
