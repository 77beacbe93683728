# Semblance. `make` lists the targets; every one may be run first, on a fresh machine.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Where weights are kept between builds, and where tests and the program find them.
SEMBLANCE_MODELS_DIR ?= $(CURDIR)/.cache/models
export SEMBLANCE_MODELS_DIR

VERSION = $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
STAMP   = -X main.version=$(VERSION)

# go-face asks for -march=native; the wrapper makes it a CPU of 2015 (see scripts/cxx).
# The tag lets the C libraries in: without it everything builds and vets with Go alone,
# and a plain `go build` makes a worker that says what it lacks, never one for this very CPU.
CXX_FLAGS    = $(or $(SEMBLANCE_MARCH),$(if $(filter x86_64,$(shell uname -m)),x86-64-v3,default))
NATIVE       = CGO_ENABLED=1 CXX=$(abspath scripts/cxx)
NATIVE_TAGS  = -tags native
NATIVE_STAMP = $(STAMP) -X main.cxxFlags=$(CXX_FLAGS)

.PHONY: help
help: ## print this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: setup semblance worker weights ## all set-up, then bin/semblance and bin/semblance-worker

.PHONY: test
test: build ## all set-up, then every test: what CI runs
	@scripts/setup browser
	@SEMBLANCE_MODELS="$$SEMBLANCE_MODELS_DIR" SEMBLANCE_WORKER=$(CURDIR)/bin/semblance-worker go run ./scripts/runtests all

.PHONY: demo
demo: build ## all set-up, then the main job on real photographs
	@bin/semblance demo

.PHONY: run
run: build ## the server on 127.0.0.1:8080 over .cache/data
	bin/semblance serve --data .cache/data

.PHONY: test-pure
test-pure: ## tests that need no C compiler, no system packages and no weights
	@go run ./scripts/runtests pure

.PHONY: check
check: lint test ## everything to do before a change is handed in

.PHONY: lint
lint: setup ## formatting, vet, shell scripts, staticcheck
	@go run ./scripts/runtests lint

.PHONY: fuzz
fuzz: setup ## each fuzz target for FUZZTIME (10s)
	@go run ./scripts/runtests fuzz

.PHONY: bench
bench: build ## measure beside the peers, in one run; about ten minutes
	@scripts/bench

.PHONY: models
models: setup semblance ## fetch and verify the weights of the manifest again
	@rm -f .cache/weights.stamp
	@scripts/setup weights
	@bin/semblance models verify

.PHONY: image
image: ## the container, with portable CPU flags
	docker build --build-arg VERSION=$(VERSION) -t semblance:$(VERSION) -t semblance:latest .

.PHONY: clean
clean: ## remove what was built; weights and the Go cache stay
	rm -rf bin dist .cache/*.stamp .cache/*.log .cache/bench-venv

# The parts of build. go build looks after its own dependencies, so these always run;
# with nothing changed they take a second. No -trimpath here: with it, dlib's binding and
# SQLite would be compiled once for the programs and once more for the tests.
.PHONY: setup semblance worker weights
setup:
	@scripts/setup system

semblance: setup
	@echo "build: bin/semblance"
	@CGO_ENABLED=0 go build -ldflags '$(STAMP)' -o bin/semblance ./cmd/semblance

worker: setup
	@echo "build: bin/semblance-worker (dlib's binding takes a minute the first time)"
	@$(NATIVE) go build $(NATIVE_TAGS) -ldflags '$(NATIVE_STAMP)' -o bin/semblance-worker ./cmd/semblance-worker

weights: semblance
	@scripts/setup weights
