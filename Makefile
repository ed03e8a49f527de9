PYTHON ?= python3
DEVSTACK = @exec $(PYTHON) devstack/bootstrap.py
.PHONY: help run test check bench demo reset chaos soak faults fuzz audit secrets

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
run:  ## everything up at http://127.0.0.1:8000 (PORT=), Ctrl-C stops it
	$(DEVSTACK) run $(ARGS)
test:  ## the whole suite, on engines of its own (ARGS= goes to pytest)
	$(DEVSTACK) test $(ARGS)
check:  ## lint, format, types, imports, locks, migrations (ARGS= some by name)
	$(DEVSTACK) check $(ARGS)
bench:  ## measure into benchmarks/results/latest.jsonl (ONLY= a prefix)
	$(DEVSTACK) bench $(ARGS)
demo:  ## broadcast to simulated phones and check every count
	$(DEVSTACK) demo $(ARGS)
reset:  ## drop the development data in .dev/
	$(DEVSTACK) reset $(ARGS)
chaos:  ## the fault suite at full length (CHAOS_SEED=, CHAOS_ROUNDS= kills)
	$(DEVSTACK) chaos $(ARGS)
soak:  ## mixed load with faults for MINUTES (30), then everything counted
	$(DEVSTACK) soak $(ARGS)
faults:  ## one batch under each fault, by us and by the shipped libraries (ONLY= a prefix)
	$(DEVSTACK) faults $(ARGS)
fuzz:  ## every route, and the wire, with thousands of made-up inputs (FUZZ_EXAMPLES= for each)
	$(DEVSTACK) fuzz $(ARGS)
audit:  ## known flaws in the locked dependencies; fails as NOT AUDITED where nobody can be asked
	$(DEVSTACK) audit $(ARGS)
secrets:  ## secrets in any file git keeps (ARGS=--review after looking at each)
	$(DEVSTACK) secrets $(ARGS)
