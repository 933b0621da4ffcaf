#!/bin/sh
# run.sh [driver flags]: builds the one program against upstream and against
# this module, and compares them on the embedded cluster. `-only produce` runs
# the cells whose name contains that.
set -e
cd "$(dirname "$0")"
bin=${BIN:-$(mktemp -d)}
mkdir -p "$bin"
go build -o "$bin/upstream" .
cp go.mod "$bin/this.mod"
cp go.sum "$bin/this.sum"
go mod edit -replace "github.com/IBM/sarama=$(cd .. && pwd)" "$bin/this.mod"
go build -modfile="$bin/this.mod" -o "$bin/this" .
(cd broker && go build -o "$bin/broker" .)
go build -o "$bin/driver" ./driver
exec "$bin/driver" -bin "$bin" "$@"
