# What a person types is what the build server runs. `make help` lists it.

GO      ?= go
TAGS    := libvirt_dlopen
VERSION := $(shell git -c safe.directory='$(CURDIR)' describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -X main.version=$(VERSION)
TOOLS   := .cache/bin
SEED    ?= 1
RUNS    ?= $(if $(filter 1,$(SEED)),2000,1)
RUN_DIR ?= run

# Go asks git for the version too, and stops where the checkout is another user's,
# as in many containers.
export GOFLAGS := -tags=$(TAGS) -buildvcs=false
TOOL_FLAGS     := -buildvcs=false

.DEFAULT_GOAL := help
.PHONY: help build run cluster cluster-stop chaos test bench lint proto proto-check imports sim e2e nacos-clients eureka-clients fuzz consul clean setup-build setup-test

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: setup-build ## bin/troupe
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/troupe ./cmd/troupe

run: ## set-up where needed, then the single-node cloud on 127.0.0.1 and a first real machine in it
	@scripts/setup.sh build run
	@$(MAKE) --no-print-directory build
	@scripts/run.sh $(RUN_DIR)

test: setup-test imports ## set-up where needed, then every test
	$(GO) vet ./...
	TROUPE_TEST_REQUIRE_LIBVIRT=1 $(GO) test -race -timeout 12m ./...
	cd tools && GOFLAGS=$(TOOL_FLAGS) $(GO) test ./...
	@$(MAKE) --no-print-directory nacos-clients eureka-clients
	@$(MAKE) --no-print-directory sim

sim: ## the whole cloud simulated: RUNS histories from SEED on
	$(GO) test -count=1 -timeout 20m ./actors/sim -runs=$(RUNS) -seed=$(SEED)

e2e: setup-test build ## only the tests with real processes, a real machine and the openstack client
	TROUPE_TEST_REQUIRE_LIBVIRT=1 $(GO) test -count=1 -timeout 20m -v ./e2e/...

nacos-clients: setup-test ## only the real clients of Nacos against the registry
	cd e2e/clients && $(GO) vet ./cloud ./nacos && $(GO) test -count=1 -parallel 8 -timeout 10m ./nacos

eureka-clients: setup-test ## only the real clients of Eureka against the registry
	cd e2e/clients && $(GO) vet ./cloud ./eureka && $(GO) test -count=1 -parallel 8 -timeout 10m ./eureka

cluster: build ## Consul and a cloud of three nodes on 127.0.0.1, which go on running
	@scripts/cluster.sh start $(RUN_DIR)/cluster

cluster-stop: ## end them; the data stays
	@scripts/cluster.sh stop $(RUN_DIR)/cluster

chaos: setup-test ## faults on three nodes and three Consul servers for MINUTES (default 30); SEED=n again
	$(GO) test -count=1 -timeout $$(( $(or $(MINUTES),30) + 20 ))m -v ./e2e/chaos -run TestFaults -minutes=$(or $(MINUTES),30) $(if $(filter-out 1,$(SEED)),-seed=$(SEED))

bench: build ## the benchmarks, printed as tables: of one node, and of three with a real Consul (make consul)
	bin/troupe bench --plots docs
	bin/troupe bench --nodes 3

lint: setup-build imports $(TOOLS)/staticcheck ## gofmt, vet, staticcheck and the import rule
	@unformatted=$$(gofmt -l .); \
	  if [ -n "$$unformatted" ]; then echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(TOOLS)/staticcheck ./...
	@$(MAKE) --no-print-directory proto-check

imports: $(TOOLS)/importcheck
	$(TOOLS)/importcheck .

proto: $(TOOLS)/protoc-gen-go ## proto/ -> messages/
	@command -v protoc >/dev/null || scripts/setup.sh proto
	PATH="$(CURDIR)/$(TOOLS):$$PATH" protoc -Iproto --go_out=. \
	  --go_opt=module=github.com/troupe-cloud/troupe proto/*.proto
	$(GO) test -count=1 -run '^TestContract$$' ./messages -record-contract

# The comment that names protoc's own version is left out of the comparison.
proto-check: $(TOOLS)/protoc-gen-go
	@command -v protoc >/dev/null || scripts/setup.sh proto
	@rm -rf .cache/proto && mkdir -p .cache/proto
	@PATH="$(CURDIR)/$(TOOLS):$$PATH" protoc -Iproto --go_out=.cache/proto \
	  --go_opt=module=github.com/troupe-cloud/troupe proto/*.proto
	@for f in .cache/proto/messages/*.pb.go; do \
	  diff -q -I '^// [[:space:]]*protoc ' "$$f" "messages/$${f##*/}" >/dev/null || \
	  { echo "messages/$${f##*/} is not what proto/ generates: run make proto"; exit 1; }; done
	@echo "proto: messages/ is what proto/ generates"

fuzz: ## every fuzz target for FUZZTIME (default 10s) each
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	  echo "== $$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(or $(FUZZTIME),10s) $$p || exit 1; done; done

consul: ## the Consul server that tests and make cluster use: on the PATH, or built once (4 minutes)
	@GO=$(GO) scripts/consul.sh

clean: ## remove what make built; the cloud's data in run/ stays
	rm -rf bin .cache

# cgo needs a C compiler even where libvirt is loaded at run time.
setup-build:
	@command -v gcc >/dev/null || scripts/setup.sh build

setup-test: consul
	@scripts/setup.sh build test
	@scripts/npm-client.sh nacos >/dev/null
	@scripts/npm-client.sh eureka >/dev/null

$(TOOLS)/staticcheck: tools/go.mod
	cd tools && GOFLAGS=$(TOOL_FLAGS) $(GO) build -o ../$@ honnef.co/go/tools/cmd/staticcheck

$(TOOLS)/protoc-gen-go: tools/go.mod
	cd tools && GOFLAGS=$(TOOL_FLAGS) $(GO) build -o ../$@ google.golang.org/protobuf/cmd/protoc-gen-go

$(TOOLS)/importcheck: tools/go.mod $(wildcard tools/importcheck/*.go)
	cd tools && GOFLAGS=$(TOOL_FLAGS) $(GO) build -o ../$@ ./importcheck
