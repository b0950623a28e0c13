# The commands of the project. Each says what it needs; none needs more than Go, make, git and the Debian packages that
# hack/needs.sh names.
SHELL := /bin/bash
# One build cache for everything, and static binaries.
export CGO_ENABLED := 0
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
IMAGE ?= nomad-harvester:$(VERSION)
CONTAINER_TOOL ?= docker
TEST_TIMEOUT ?= 60m

# hack/world reads these; a test holds the list to it.
WORLD_SETTINGS := \
	'  ACL=yes            Nomad with ACLs' \
	'  TLS=yes            Nomad with TLS; not together with PROMETHEUS' \
	'  CONTROLLER=no      neither controller nor autoscaler: start your own' \
	'  GUEST=simulated    guests without an agent of their own, for many of them' \
	'  HOSTS=5            that many Harvester hosts' \
	'  INTRODUCTION=warn  Nomad asks its clients for introduction tokens: none, warn or strict' \
	'  PROMETHEUS=yes     Prometheus beside Nomad, for policies that scale from zero'
.PHONY: help
help: ## Show the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'
	@printf '%s\n' '' 'Settings of make world, before it, as in ACL=yes make world:' $(WORLD_SETTINGS)

# Before anything is compiled: that takes seconds, or minutes the first time.
say_at_once = @echo 'make $@: compiling its program first, if need be; Ctrl-C ends it'

.PHONY: demo
demo: needs ## Scale a pool out and in on an embedded test environment, start to end
	$(say_at_once)
	@go run ./hack/demo

.PHONY: world
world: needs ## Leave the test environment running; source .world/env to use it
	$(say_at_once)
	@go run ./hack/world

.PHONY: tools
tools: needs ## Build the programs of the test environment into the cache
	@go run ./hack/tools

# End-to-end tests that kill controllers, and those that wait for minutes, get a world of their own, beside the others.
CRASHES := ^(TestCrashes|TestTwoControllers|TestLeaderOfNomad)
# Those of what others do to pools need no real agents in the guests, and many of them fit into a world of simulated ones.
# With them are those of how Harvester's and KubeVirt's control planes take our VMs, whatever runs in these.
OTHERS := ^(TestOthers|TestVMDeletedByOthers|TestExternalVMs|TestMembersVMsCant|TestNamespaceOfAPool|TestTemplateMatrix|TestRefusalsAreReported|TestVMAboveItsQuota|TestMissingHarvesterTemplate|TestBlocked|TestRefusedNomadNode|TestChosen|TestPauses|TestBroken|TestMigrated|TestRolloutWithoutSurge|TestManyBusy|TestFromZero|TestPoolIsMoved)
# What must hold with the oldest Harvester that we keep to as well.
ANY_HARVESTER := ^(TestTemplateMatrix)
# Vetted before, and linked without debugging information: a third of a linker's time, for each of fifty programs. Panics still name lines.
GOTEST := go test -vet=off -ldflags=-w -timeout $(TEST_TIMEOUT)
# What would else be linked for each world, and for each run of the end-to-end tests.
BUILT := $(CURDIR)/bin/test
E2E := cd test/e2e && $(BUILT)/e2e.test -test.timeout $(TEST_TIMEOUT)
CHAINS := test-e2e test-others test-rest test-sim
# Wherever a test runs, it is the same file.
ifneq ($(findstring /,$(NOMAD_BIN)),)
export NOMAD_BIN := $(abspath $(NOMAD_BIN))
endif
WHICH_NOMAD := cd $(CURDIR) && go run ./hack/tools -nomad
# The last line of a test says which Nomad it ran with, however it ends.
say_nomad = trap '$(WHICH_NOMAD)' EXIT;

.PHONY: test
test: ## Run the unit, integration and end-to-end tests
	@hack/needs.sh test
	@$(WHICH_NOMAD)
	go vet -composites=false ./... # a Problem is a reason and a message everywhere
	@rm -f $(SAID)
	@$(say_nomad) $(MAKE) --no-print-directory -j4 --output-sync=target $(CHAINS)
	@$(MAKE) --no-print-directory contract # alone, because it measures times of Nomad's
	@$(say_nomad) go run ./hack/messages # whatever the controllers said is in docs/messages.txt

# Chains of tests side by side: they wait a lot, for Nomad's and Kubernetes' own time. The simulator's time is virtual: it
# takes what the others leave of the processors, so that none of them is too late for it.
.PHONY: $(CHAINS) test-built
# Of memory there is enough, of processors there isn't: a quarter of an API server's time would go into collecting garbage.
$(CHAINS) test-guest: export GOGC := 400
$(CHAINS): export NOMAD_HARVESTER_PRODUCT := $(BUILT)/nomad-harvester
# To which each run of the end-to-end tests adds what the controllers say.
SAID := $(BUILT)/messages.txt
$(CHAINS): export NOMAD_HARVESTER_RECORD := $(SAID)
$(CHAINS): test-built
test-built:
	@go run ./hack/tools >/dev/null # all at once, so that what they share is compiled once
	@go build -ldflags=-w -o $(BUILT)/nomad-harvester .
	@go test -vet=off -ldflags=-w -c -o $(BUILT)/e2e.test ./test/e2e
test-e2e:
	$(say_nomad) $(E2E) -test.skip '$(CRASHES)|$(OTHERS)' -test.parallel 6
test-others:
	$(say_nomad) export NOMAD_HARVESTER_GUESTS=simulated && $(E2E) -test.run '$(OTHERS)' -test.parallel 6
	$(say_nomad) export NOMAD_HARVESTER_GUESTS=simulated NOMAD_HARVESTER_PLATFORM=harvester-lite-1.5 && $(E2E) -test.run '$(ANY_HARVESTER)'
# Tests that need the programs of the test environment. What is synchronized by hand there shows in these alone, so that
# they run with the race detector, here because make test-race is to need nothing but gcc.
ENVIRONMENT := ./test/testenv ./test/testenv/kube ./test/testenv/nomad
test-rest:
	$(say_nomad) $(E2E) -test.run '$(CRASHES)'
	$(say_nomad) $(GOTEST) -p 2 $$(go list ./... | grep -vE '/test/(e2e|guest|sim|contract/.*)$$' | grep -vxF "$$(go list $(ENVIRONMENT))")
	CGO_ENABLED=1 $(GOTEST) -race -p 2 $(ENVIRONMENT)
	@$(MAKE) --no-print-directory test-race
test-sim:
	nice -n 19 $(GOTEST) ./test/sim

.PHONY: contract
contract: ## Hold the Nomad that is there, NOMAD_BIN=<path> or the stand-in, to what we depend on
	@$(WHICH_NOMAD)
	@$(say_nomad) go test -vet=off ./test/contract/... -v -count=1 -timeout 10m

# Some read hundreds of megabytes one answer after the other, so that there is nothing for the race detector to find. One
# measures how much time of a processor something takes, which the detector makes ten times as much.
ALONE := ^(Test(Answers|Refusals)ThatGrowAreCutOff|TestLargestPoolTakesLittleCPU)
# Parts of the test environment whose tests need no program of it but the stand-in for Nomad.
PARTS := $(addprefix ./test/testenv/,process hypervisor/... kube/faultproxy canary binaries simclient)
.PHONY: test-race
test-race: ## Run what isn't end-to-end once more, with the race detector, and print what it covers; needs gcc
	CGO_ENABLED=1 $(GOTEST) -race -short -skip '$(ALONE)' -coverprofile=$(COVERAGE) $(UNIT) ./test/standin/...
	CGO_ENABLED=1 nice -n 19 $(GOTEST) -race -short ./test/sim ./hack/... $(PARTS) # which say nothing of what the unit tests cover
	@$(print_coverage)

.PHONY: messages
messages: ## Add what the controllers said during the last make test to docs/messages.txt; troubleshooting is held to it
	@go run ./hack/messages -add

.PHONY: test-guest
test-guest: ## Boot whole machines with qemu, and scale a pool of them; CI runs it too
	@hack/needs.sh guest
	@$(WHICH_NOMAD)
	$(say_nomad) $(GOTEST) -count=1 -v ./test/guest # go test doesn't see that the product, which it builds, has changed

# What the unit tests are of.
UNIT := ./api/... ./controllers/... ./internal/... ./pkg/...
# What they leave out, which `make test` runs: a test that is left out and not named here would be a defect.
SHORT = echo "$@: left out are the tests that ask Debian's cloud-init (apt-get install --no-install-recommends cloud-init) and \
those that run a Nomad or an API server; make test runs them"
.PHONY: unit
unit: ## Run the tests that need nothing but Go, in a minute or two
	@go test -short -ldflags=-w $(UNIT)
	@$(SHORT)

COVERAGE := coverage.out
print_coverage = go tool cover -func=$(COVERAGE) | awk '/^total:/ {printf "%-50s %6s\n", "cover: total of the unit tests", $$NF}'
.PHONY: cover
cover: ## Run the unit tests and print what they cover: a line a package, and the total
	@set -o pipefail; go test -short -vet=off -ldflags=-w -coverprofile=$(COVERAGE) $(UNIT) | awk ' \
		/coverage:/ {for (i = 1; i < NF; i++) {if ($$i ~ /nomad-harvester/) name = $$i; if ($$i == "coverage:") part = $$(i + 1)} \
			sub(/^github.com.nomad-harvester.nomad-harvester./, "", name); printf "%-50s %6s\n", name, part; next} \
		{print}'
	@$(print_coverage)
	@$(SHORT)

FUZZTIME ?= 20s
FUZZ_AT_ONCE ?= 1
.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME=20s, FUZZ_AT_ONCE=1 of them side by side
	@FUZZTIME=$(FUZZTIME) FUZZ_AT_ONCE=$(FUZZ_AT_ONCE) hack/fuzz.sh

.PHONY: mutants
mutants: ## Change one operator of the pure packages at a time; their tests must notice each
	@go run ./hack/mutants

.PHONY: test-long
test-long: ## Fuzz each target for a minute, run mutants, and 20,000 schedules of the simulator: an hour or two
	$(MAKE) --no-print-directory fuzz FUZZTIME=60s
	$(MAKE) --no-print-directory mutants
	$(MAKE) --no-print-directory sim SCHEDULES=20000

SCHEDULES ?= 1000
SEED ?= 1
.PHONY: sim
sim: ## Run SCHEDULES=1000 schedules of the simulator, from SEED=1 on
	@go run ./test/sim/cmd -schedules $(SCHEDULES) -seed $(SEED)

.PHONY: bench bench-try
bench: ## Measure how fast pools grow and shrink, beside a bare loop and KubeVirt's own pool
	@$(WHICH_NOMAD)
	@go run ./test/bench

bench-try: ## Run some rows of make bench once, with three members: that it works, not how fast it is
	@go run ./test/bench -rows P1,P12 -runs 1 -many 0 -running 3 -out $(BUILT)/bench.json

.PHONY: generate
generate: ## Write the generated code and manifests anew
	@gen=$$(go run ./hack/tools -print controller-gen) && \
	$$gen object crd paths=./api/... output:crd:artifacts:config=config/crd/bases && \
	$$gen rbac:roleName=nomad-harvester-controller paths=./controllers/... output:rbac:artifacts:config=config/rbac
	@cd charts/nomad-harvester && rm -rf files && mkdir -p files/crds files/rbac files/admission files/manager && \
	cp ../../config/crd/bases/*.yaml files/crds && for part in rbac admission manager; do cp ../../config/$$part/*.yaml files/$$part; done && \
	rm files/*/kustomization.yaml files/manager/namespace.yaml files/manager/deployment.yaml # the chart has its own

.PHONY: verify
verify: needs ## Check generated files, formatting, linters and go.mod; before or after a commit
	@hack/verify.sh

# The time of whatever is built is that of the commit, and so the same wherever it is built. docker's buildx takes the
# image's from the environment, and podman and buildah from an option.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

.PHONY: build
build: ## Build bin/nomad-harvester
	go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/nomad-harvester .

# What is released, and what the image contains: the same bytes wherever they are built.
RELEASED = GOOS=linux GOARCH=amd64 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$(VERSION)"
DIST ?= dist
.PHONY: release
release: ## Put binary, SBOM (CycloneDX), licences and their checksums into dist
	@rm -rf $(DIST) && mkdir -p $(DIST)
	$(RELEASED) -o $(DIST)/nomad-harvester .
	@go run ./hack/licences -sbom $(DIST)/nomad-harvester -version $(VERSION) >$(DIST)/nomad-harvester.cdx.json
	@cp LICENSE NOTICE $(DIST)
	@cd $(DIST) && sha256sum -- * >SHA256SUMS && cat SHA256SUMS

.PHONY: vulncheck
vulncheck: ## Look for known vulnerabilities in what the product is linked of; needs Go's vulnerability database
	go -C tools/vulncheck tool govulncheck -C $(CURDIR) .

.PHONY: image
image: ## Build the container image, with docker or CONTAINER_TOOL=podman or buildah
	$(RELEASED) -o bin/nomad-harvester .
	@touch -d @$(SOURCE_DATE_EPOCH) bin/nomad-harvester LICENSE NOTICE # their times are in the image
	@chmod 755 bin/nomad-harvester && chmod 644 LICENSE NOTICE # and so are their modes, of which the umask takes some
	$(CONTAINER_TOOL) build --platform linux/amd64 $(if $(filter buildah podman,$(notdir $(CONTAINER_TOOL))),--timestamp \
	$(SOURCE_DATE_EPOCH)) -t $(IMAGE) .

.PHONY: needs
needs:
	@hack/needs.sh
