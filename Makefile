GO ?= go
GOLANGCI ?= $(GO) tool -modfile=tools/go.mod golangci-lint
FUZZTIME ?= 60s

.PHONY: check fmt vet lint race test functional chaos storm exactly-once oracles fuzz bench api

# What every change runs.
check: fmt vet lint race

fmt:
	@out=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); if [ -n "$$out" ]; then echo "not formatted:"; echo "$$out"; exit 1; fi

vet:
	$(GO) vet ./...

lint:
	$(GOLANGCI) run ./...

race:
	$(GO) test -race -short ./...

test:
	$(GO) test ./...

# The tests that need a real Kafka; KAFKA_PEERS names one, else it is started
# here where Java and Maven are installed.
functional:
	$(GO) test -count=1 ./internal/kafkalocal/
	$(GO) test -count=1 -run 'TestFunctional|OldFormat' .

# A million messages through kills, pauses and moves, idempotent and not.
chaos:
	SARAMA_CHAOS_MESSAGES=1000000 $(GO) test -count=1 -timeout 40m -run TestFunctionalChaos -v .

# Groups whose members come and go, for a minute with each strategy.
storm:
	SARAMA_STORM_SECONDS=60 $(GO) test -count=1 -timeout 20m -run TestFunctionalStorm -v .

# Pipelines that are killed and replaced, ten times each, with three kinds of
# groups.
exactly-once:
	SARAMA_CHAOS_MESSAGES=1 $(GO) test -count=1 -timeout 40m -run TestFunctionalExactlyOnce -v .

# The codec against Kafka's definitions, and against another client's codec.
oracles:
	$(GO) test -count=1 -run Schema .
	cd compat/kmsg && $(GO) vet ./... && $(GO) test -count=1 ./...

fuzz:
	for family in Records Cluster Topics Groups Transactions Security SCRAMServer OAuthServer SASLConnection; do $(GO) test -run '^$$' -fuzz Fuzz$$family -fuzztime $(FUZZTIME) . || exit; done
	$(GO) test -run '^$$' -fuzz FuzzBatch -fuzztime $(FUZZTIME) -fuzzminimizetime 5x ./internal/record
	$(GO) test -run '^$$' -fuzz FuzzMessageSet -fuzztime $(FUZZTIME) -fuzzminimizetime 5x ./internal/record
	$(GO) test -run '^$$' -fuzz FuzzDecompress -fuzztime $(FUZZTIME) -fuzzminimizetime 5x ./internal/compress

bench:
	cd bench && ./run.sh

# Which exported items of Sarama v1.61.1 are here, and which are not.
api:
	$(GO) test -count=1 -run '^TestExportedAPI$$' -v . -missing
