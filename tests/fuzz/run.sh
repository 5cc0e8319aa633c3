#!/bin/sh
# run.sh SECONDS SOURCE_DIR BUILD_DIR [NAME...]: runs each target, or those named, for so many seconds on its corpus and what it has found
# before. Fails when one found something: the input is in BUILD_DIR/findings.
set -u
seconds=$1 source=$2 build=$3
shift 3
[ $# -gt 0 ] || set -- $(cd "$source/corpus" && ls)
mkdir -p "$build/findings"
failed=

for name; do
    log=$build/findings/$name.log
    dict=$source/dict/$name.dict
    mkdir -p "$build/work/$name"
    # shellcheck disable=SC2086
    if "$build/fuzz_$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=1024 -malloc_limit_mb=512 -max_len=4096 \
        -print_final_stats=1 $([ -f "$dict" ] && echo -dict="$dict") -artifact_prefix="$build/findings/$name-" \
        "$build/work/$name" "$source/corpus/$name" >"$log" 2>&1; then
        result=good
    else
        result="FOUND SOMETHING: $log"
        failed=1
    fi
    echo "$name: $(sed -n 's/^stat::number_of_executed_units: //p' "$log") runs," \
        "$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1) edges, $result"
done
[ -z "$failed" ]
