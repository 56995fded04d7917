# The logic is in scripts/; this file only names it. `make` alone lists the targets.
PYTHON ?= python3
export PORT IP RENEW
RUN = @command -v $(PYTHON) >/dev/null || \
	{ echo "There is no $(PYTHON): install Python 3.11 or newer." >&2; exit 1; }; \
	exec $(PYTHON) -m scripts

.PHONY: help lab test check book bench js readme pins clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' Makefile

lab: ## Start JupyterLab in your copy, work/, print its URL (PORT=, IP=, RENEW=1)
	$(RUN) lab

test: ## Set up what is missing and run all checks (ONLY="unit rules" picks groups)
	$(RUN) test $(ONLY)

check: ## Formatting (ruff format --check), lint (ruff check) and types (mypy --strict)
	$(RUN) check

book: ## Build chapters/*.ipynb from their sources (ONLY=9; RECORD=1: slow runs anew)
	$(RUN) book $(ONLY) $(if $(RECORD),--record)

bench: ## Speed beside llama.cpp and transformers (ONLY="decode server", ROUNDS=, KEEP=1)
	$(RUN) bench $(ONLY) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(KEEP),--keep) \
	  $(if $(NOFAIL),--no-fail)

js: ## Build the widgets' JavaScript again
	$(RUN) js

readme: ## Write the generated parts of README.md, environment.yml and postBuild
	$(RUN) readme

pins: ## Write constraints.txt from what is installed in .venv
	$(RUN) pins

clean: ## Remove what was installed and built here (work/ and the weights stay)
	rm -rf .venv .cache .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis \
	  test-artifacts labkit/widgets/static/vendor
