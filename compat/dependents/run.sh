#!/usr/bin/env bash
# run.sh: published programs that import Sarama, unchanged but for a replace to
# this module. Their own tests are run against Sarama 1.61.1 and against this
# module, on a Kafka that is started here, and must have the same results; then
# each does its job once. Nothing of theirs is kept: they come from the module
# proxy, in the versions below. Needs Java and Maven; takes about five minutes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=${1:-$(mktemp -d)}
mkdir -p "$work"
sarama=v1.61.1
(cd "$root" && go build -o "$work/kafkalocal" ./internal/kafkalocal/cmd/kafkalocal)
(cd "$here/.." && go build -o "$work/forward" ./dependents/forward)

pids=()
stop() {
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
	pids=()
}
trap stop EXIT

# kafka SETTING…: starts a broker that is reached at localhost:9092, which is
# where the programs' tests look for it.
kafka() {
	local settings=()
	for s in "$@"; do settings+=(-set "$s"); done
	rm -f "$work/kafka.addr"
	"$work/kafkalocal" -version 4.3.1 -advertise localhost:9092 "${settings[@]}" >"$work/kafka.addr" &
	pids+=($!)
	until [ -s "$work/kafka.addr" ]; do kill -0 "${pids[0]}"; sleep 0.2; done
	"$work/forward" 127.0.0.1:9092 "$(tail -1 "$work/kafka.addr")" &
	pids+=($!)
}

# fetch NAME MODULE VERSION: a copy of a module, at work/NAME, that requires
# the Sarama whose place this module takes.
fetch() {
	local from
	from=$(cd "$work" && GOFLAGS=-mod=mod go mod download -json "$2@$3" | sed -n 's/^.*"Dir": "\(.*\)",$/\1/p')
	rm -rf "${work:?}/$1"
	cp -r "$from" "$work/$1"
	chmod -R u+w "$work/$1"
	(cd "$work/$1" && go mod edit -require="github.com/IBM/sarama@$sarama" && go mod tidy 2>/dev/null)
}

# replaced: this module takes Sarama's place, by one line in this.mod.
replaced() {
	cp go.mod this.mod
	cp go.sum this.sum
	go mod edit -replace "github.com/IBM/sarama=$root" this.mod
}

# outcome MODFILE FLAG…: each test with its result, without what differs from
# run to run.
outcome() {
	local modfile=$1
	shift
	go vet -modfile="$modfile" ./... >&2
	{ go test -modfile="$modfile" -count=1 -v "$@" ./... 2>&1 || true; } | tee "$modfile.log" | grep -E '^ *--- ' |
		sed -E 's/ \([0-9.]+s\)//; s/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/ID/; s/\{".*\}/{}/' | LC_ALL=C sort
}

# compare NAME FLAG…: the program's own tests, with both.
compare() {
	local name=$1
	shift
	cd "$work/$name"
	replaced
	outcome go.mod "$@" >upstream.txt
	outcome this.mod "$@" >this.txt
	if ! diff upstream.txt this.txt; then
		echo "$name: tests have other results than with Sarama $sarama"
		exit 1
	fi
	echo "$name: $(grep -c PASS this.txt) tests pass, $(grep -c FAIL this.txt || true) fail, $(grep -c SKIP this.txt || true) are skipped, with both"
}

# job NAME: a small program that uses the module.
job() {
	rm -rf "$work/job-$1"
	cp -r "$here/jobs/$1" "$work/job-$1"
	cd "$work/job-$1"
	replaced
	go run -modfile=this.mod . localhost:9092
}

fetch otelsarama github.com/dnwe/otelsarama v0.0.0-20240308230250-9388d9d40bc0
fetch cloudevents github.com/cloudevents/sdk-go/protocol/kafka_sarama/v2 v2.15.2
# Its test double was made before Sarama 1.60 added two methods to SyncProducer.
cat >"$work/cloudevents/double_test.go" <<'GO'
package kafka_sarama

import "github.com/IBM/sarama"

func (s *syncProducerMock) AddOffsetsToTxnWithGroupMetadata(map[string][]*sarama.PartitionOffsetMetadata, *sarama.ConsumerGroupMetadata) error {
	return nil
}

func (s *syncProducerMock) AddMessageToTxnWithGroupMetadata(*sarama.ConsumerMessage, *sarama.ConsumerGroupMetadata, *string) error {
	return nil
}
GO
fetch gocloud gocloud.dev/pubsub/kafkapubsub v0.40.0
fetch watermill github.com/ThreeDotsLabs/watermill-kafka/v3 v3.0.6

compare otelsarama
compare cloudevents
kafka group.initial.rebalance.delay.ms=100 auto.create.topics.enable=false
compare gocloud
stop
kafka group.initial.rebalance.delay.ms=0 num.partitions=16
WATERMILL_TEST_KAFKA_BROKERS=localhost:9092 compare watermill -short
job cloudevents
job otelsarama
echo "all dependents behave as with Sarama $sarama"
