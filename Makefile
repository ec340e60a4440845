# The front door for make-style jobs. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# A study file and a lake, e.g. `make run STUDY=my_study.toml LAKE=my_lake`. No STUDY: the built-in one.
STUDY ?=
LAKE ?= lake
PREFIX ?= $(HOME)/.local
# Options of benches/extraction/compare.py, e.g. `make bench BENCH="--rounds 1 --sets linear"`.
BENCH ?=
# Seconds for each fuzz target.
FUZZ ?= 60
CARGO ?= cargo

target := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
program := $(target)/release/hypercolumn
library := $(if $(filter Darwin,$(shell uname -s)),libduckdb.dylib,libduckdb.so)

# A DUCKDB_LIB_DIR of your own is used as it is; otherwise the library is fetched here (.cargo/config.toml
# says the same to cargo).
duckdb := $(if $(DUCKDB_LIB_DIR),,.deps/duckdb/$(library))

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  STUDY=file.toml and LAKE=directory choose what run and the stages work on."

.PHONY: setup
setup: $(duckdb) build ## Fetch what is missing: DuckDB's library, the default model
	$(program) models fetch >/dev/null

.deps/duckdb/$(library): scripts/fetch-duckdb.sh
	scripts/fetch-duckdb.sh .deps/duckdb
	@touch $@

.PHONY: build
build: $(duckdb) ## Compile the program
	$(CARGO) build --release

.PHONY: run
run: build ## Carry out a study, to the report
	$(program) run $(STUDY) --lake $(LAKE)

.PHONY: plan
plan: build ## Show what `make run` would do, and why
	$(program) plan $(STUDY) --lake $(LAKE)

.PHONY: ingest
ingest: build ## Stage 1: prompts into the lake
	$(program) ingest $(STUDY) --lake $(LAKE)

.PHONY: extract
extract: build ## Stage 2: the model over the prompts
	$(program) extract $(STUDY) --lake $(LAKE)

.PHONY: analyze
analyze: build ## Stage 3: the study's questions, and the report
	$(program) analyze $(STUDY) --lake $(LAKE)

.PHONY: readme
readme: build ## Compare README's figures with the lake of `make run`; WRITE=1 writes them
	python3 scripts/readme-figures.py $(program) $(LAKE) $(if $(WRITE),--write)

.PHONY: report
report: build ## Write the report again
	$(program) report $(STUDY) --lake $(LAKE)

# One profile serves the program and its tests, so that the heavy dependencies compile once; and the
# tests run a real model, which needs the optimiser. Debug assertions are what this gives up.
.PHONY: test
test: setup ## Run the whole test suite
	HYPERCOLUMN_REQUIRE_MODEL=1 $(CARGO) test --workspace --release
	scripts/check-lake.sh $(program) $(target)/check

.PHONY: nextest
nextest: setup ## Run the tests, one process each, and name the slow ones; needs cargo-nextest
	HYPERCOLUMN_REQUIRE_MODEL=1 $(CARGO) nextest run --workspace --release
	$(CARGO) test --workspace --release --doc

.PHONY: examples
examples: setup ## Run the examples with make, DVC and Snakemake, which are installed into a virtual environment
	scripts/check-examples.sh $(program) $(target)/examples

.PHONY: deny
deny: ## Check licences and banned crates (deny.toml); needs cargo-deny
	$(CARGO) deny --workspace check licenses bans sources

.PHONY: fuzz
fuzz: ## Feed damaged files to the readers of models, FUZZ seconds each; needs cargo-fuzz
	scripts/fuzz.sh $(target)/fuzz $(FUZZ)

.PHONY: miri
miri: ## Run the matrix product's tests under Miri, its scalar arm; needs a nightly toolchain with miri
	cp Cargo.lock extract/miri/Cargo.lock
	cd extract/miri && CARGO_TARGET_DIR=$(abspath $(target))/miri $(CARGO) +nightly miri test

.PHONY: calibrate
calibrate: $(duckdb) ## Error rates of all tests and intervals: the table of docs/inference.md
	HYPERCOLUMN_CALIBRATE=1000 $(CARGO) test --release --workspace --test calibration -- --nocapture

.PHONY: faults
faults: $(duckdb) ## Kills, flipped bits and processes side by side, in full: the figures of docs/reliability.md
	HYPERCOLUMN_FAULTS=170 $(CARGO) test --release --workspace --test faults -- --nocapture

.PHONY: bench
bench: setup ## Measure extraction beside PyTorch and transformers, some 40 minutes; BENCH= takes options
	[ -x $(target)/bench/bin/python ] || python3 -m venv $(target)/bench
	$(target)/bench/bin/python -m pip install --quiet -r benches/extraction/requirements.txt
	$(target)/bench/bin/python benches/extraction/compare.py $(program) --rate --generate 16 $(BENCH)

.PHONY: lint
lint: $(duckdb) ## Check format and lints, warnings denied
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --release -- -D warnings

.PHONY: docs
docs: $(duckdb) ## Build the documentation of the code, private items too, warnings denied
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" $(CARGO) doc --workspace --no-deps --document-private-items --release

.PHONY: install
install: build ## Install the program, its library, man pages and completions below PREFIX
	install -d $(PREFIX)/bin $(PREFIX)/lib
	install -m 755 $(program) $(PREFIX)/bin/hypercolumn
	install -m 755 $(if $(DUCKDB_LIB_DIR),$(DUCKDB_LIB_DIR)/$(library),$(duckdb)) $(PREFIX)/lib/$(library)
	install -d $(PREFIX)/share/bash-completion/completions $(PREFIX)/share/zsh/site-functions $(PREFIX)/share/fish/vendor_completions.d
	$(PREFIX)/bin/hypercolumn completions bash > $(PREFIX)/share/bash-completion/completions/hypercolumn
	$(PREFIX)/bin/hypercolumn completions zsh > $(PREFIX)/share/zsh/site-functions/_hypercolumn
	$(PREFIX)/bin/hypercolumn completions fish > $(PREFIX)/share/fish/vendor_completions.d/hypercolumn.fish
	$(PREFIX)/bin/hypercolumn man $(PREFIX)/share/man/man1

.PHONY: clean
clean: ## Remove what was compiled and fetched; lakes and cached models stay
	$(CARGO) clean
	rm -rf .deps
