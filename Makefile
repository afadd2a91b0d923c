# Commands for people who work on the template; all set up what they need. `make` prints them.
#
#   make demo [DIR=path] [SERVE=1]   scaffold a service, start it, fetch its pages
#   make test [ARGS=...]             run the tests, or those that pytest's ARGS select
#   make test-all [ARGS=...]         run slow tests and all combinations, too, as before a release
#   make test-cluster [ARGS=...]     deploy services to Kubernetes: KUBECONFIG's, or one that is built here
#   make test-fast                   run those that need neither an engine nor a package index
#   make benchmark [ARGS=...]        measure the image, and write docs/evidence/benchmarks.md
#   make combinations [ARGS=...]     measure all combinations, and write docs/evidence/combinations.md, after a test of all
#   make session                     record a real session, and draw it in docs/session.svg
#   make release VERSION=0.2.0       test everything, then tag a release on main

.PHONY: benchmark combinations demo help release session test test-all test-cluster test-fast

help:
	@sed -n 's/^#   //p' Makefile

benchmark:
	@PYTHONPATH=tasks:tools tools/run python benchmarks/run.py $(ARGS)

combinations:
	@PYTHONPATH=extensions:tasks:tools tools/run python benchmarks/combinations.py $(ARGS)

demo:
	@PYTHONPATH=tasks tools/run python tools/demo.py $(if $(DIR),--dir "$(DIR)") $(if $(SERVE),--serve)

release:
	@tools/run python tools/release.py "$(VERSION)" $(ARGS)

session:
	@PYTHONPATH=tasks tools/run python tools/session.py

test:
	@tools/run ruff check
	@tools/run ruff format --check
	@tools/run shellcheck tools/run tools/engine/* tools/cluster/*.sh .ci/run
	@tools/run pytest --numprocesses 3 --ignore tests/cluster --durations 10 --junitxml .pytest_cache/results.xml $(ARGS)

test-all:
	@$(MAKE) --no-print-directory test ARGS="--slow $(ARGS)"
	@$(MAKE) --no-print-directory test-cluster ARGS="--slow $(ARGS)"

# By themselves: the cluster needs both cores for itself, or its probes fail.
test-cluster:
	@tools/run pytest --numprocesses 0 --durations 10 tests/cluster $(ARGS)

test-fast:
	@tools/run ruff check
	@tools/run pytest --numprocesses 2 tests/extensions tests/render $(ARGS)
