#!/usr/bin/env bash
# run.sh [-update] [SECTION…]: builds the one program in probe against Sarama
# 1.61.1 and against this module, runs both, and compares what they print: bytes
# of requests, decoded replies, results and errors, line by line. The lines in
# which the two differ on purpose are in expected/SECTION.diff, the reasons in
# ../docs/differences.md; anything else is an error. -update writes those files.
set -euo pipefail
cd "$(dirname "$0")"
update=
if [ "${1:-}" = -update ]; then
	update=1
	shift
fi
sections=("$@")
[ ${#sections[@]} -gt 0 ] || sections=(wire mocks admin producers-and-consumers security)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp go.mod "$work/this.mod"
cp go.sum "$work/this.sum"
go mod edit -replace "github.com/IBM/sarama=$(cd .. && pwd)" "$work/this.mod"
go build -o "$work/upstream" ./probe
go build -modfile="$work/this.mod" -o "$work/this" ./probe
export GOLDEN=$PWD/../internal/golden/testdata
failed=
for section in "${sections[@]}"; do
	"$work/upstream" "$section" >"$work/$section.upstream"
	"$work/this" "$section" >"$work/$section.this"
	diff "$work/$section.upstream" "$work/$section.this" | grep '^[<>]' >"$work/$section.diff" || true
	if [ -n "$update" ]; then
		mkdir -p expected
		cp "$work/$section.diff" "expected/$section.diff"
	fi
	if diff "expected/$section.diff" "$work/$section.diff"; then
		echo "$section: $(wc -l <"$work/$section.this") lines, $(grep -c '^>' "expected/$section.diff" || true) differ on purpose"
	else
		echo "$section: differs from Sarama where it did not (see above)"
		failed=1
	fi
done
[ -z "$failed" ]
