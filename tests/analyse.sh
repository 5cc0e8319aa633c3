#!/bin/bash
# analyse: clang-tidy (.clang-tidy) and cppcheck over src/, modules/ and tests/; make analyse calls it in the build directory. What is
# wrongly said is listed, with the reason, in tests/analyse/*.suppressions. Prints what is left; exit 1 where anything is.
#   analyse.sh SRCDIR FLAGS...    FLAGS: what the preprocessor is given for a build
#   WEIR_ANALYSE_NODES            how far the analyzer follows one function (40000; clang itself says 225000, which finds no more here
#                                 and takes four times as long)
set -euo pipefail
src=$(cd "$1" && pwd)
shift
flags=("$@")
own=$src/tests/analyse
jobs=$(nproc)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for tool in clang-tidy cppcheck; do
    command -v $tool >/dev/null || { echo "$tool is missing: packaging/packages.sh analyse" >&2; exit 2; }
done

# The largest first, so that all processors end at about the same time.
sources() { (cd "$src" && find "$@" -name '*.c' -printf '%s %p\n') | sort -rn | sed 's/^[0-9]* //'; }
sources src modules | grep -v '/test_' >"$work/code"
{ sources tests; sources modules | grep '/test_'; } >"$work/tests"

# ---- cppcheck ----

# Its own preprocessor sees of the libraries only those headers whose macros hold control flow.
mkdir -p "$work/include/sys"
for header in sys/queue.h uthash.h jansson.h; do
    path=$(echo "#include <$header>" | ${CC:-cc} -E -xc - | sed -n "s,^# 1 \"\(.*/$header\)\".*,\1,p" | head -1)
    ln -s "$path" "$work/include/$header"
done
defines=(-D__GNUC__=12 -D__linux__ -D__x86_64__ '-DTEST_MODULES="."' '-DFUZZ_CORPUS="."')
for flag in "${flags[@]}"; do
    case $flag in -D* | -I*) defines+=("$flag") ;; esac
done
sed "s,^,$src/," "$work/code" "$work/tests" | grep -v '/tests/unit/policy/bad.c$' >"$work/list"
cppcheck -j"$jobs" --quiet --std=c11 --enable=warning,performance,portability --library=posix,gnu,openssl \
    --suppressions-list="$own/cppcheck.suppressions" -I"$work/include" "${defines[@]}" \
    --template='{file}:{line}: {severity}: {message} [{id}]' --file-list="$work/list" 2>"$work/cppcheck" >&2 || true

# ---- clang-tidy ----

# One process a file: in one that reads several, valist.Uninitialized goes astray.
tidy() {
    local options=$1
    sed "s,^,$src/," | xargs -P"$jobs" -I{} sh -c 'out=$(clang-tidy --quiet "$@" 2>&1) || true; printf "%s\n" "$out"' sh \
        ${options:+"$options"} {} -- -std=gnu11 -Wall -Wextra -Wshadow -Wno-unused-parameter -Wno-missing-field-initializers \
        '-DTEST_MODULES="."' '-DFUZZ_CORPUS="."' '-DFUZZ_MODULES="."' '-DMODULE_NAME="good"' "${flags[@]}" \
        -Xclang -analyzer-config -Xclang "max-nodes=${WEIR_ANALYSE_NODES:-40000}"
}
tidy "" <"$work/code" >"$work/tidy"
# Tests may leak, call system(), ignore what connect() says and cut texts where they like; they need not be followed on every path.
tidy "--checks=-clang-analyzer-*,-clang-diagnostic-null-pointer-arithmetic,-clang-diagnostic-string-concatenation,-concurrency-*,\
-bugprone-suspicious-missing-comma,-bugprone-unused-return-value,-cert-env33-c,-cert-err34-c" <"$work/tests" >>"$work/tidy"

# A message and the line of source that stands below it.
awk -v src="$src/" -v list="$own/clang-tidy.suppressions" '
    BEGIN {
        while ((getline row < list) > 0) {
            if (row ~ /^(#|$)/)
                continue
            split(row, word, " ")
            check[++n] = word[1]
            file[n] = word[2]
            text[n] = substr(row, length(word[1]) + length(word[2]) + 3)
        }
    }

    function dropped(message, line,    i) {
        for (i = 1; i <= n; i++)
            if (index(message, "[" check[i]) && (file[i] == "*" || index(message, file[i]) == 1) && index(line, text[i]))
                return ++used[i]
        return 0
    }

    /: (warning|error): / {
        message = $0
        sub(src, "", message)
        getline line
        if (!seen[message]++ && !dropped(message, line))
            print message "\n" line
    }

    END {
        for (i = 1; i <= n; i++)
            if (!used[i])
                print "note: not needed any more: " check[i] " " file[i] " " text[i] >"/dev/stderr"
    }
' "$work/tidy" >"$work/found"

sed "s,^$src/,," "$work/cppcheck" | sort -u >>"$work/found"
cat "$work/found"
echo "analyse: $(wc -l <"$work/code") files of code, $(wc -l <"$work/tests") of tests: $(grep -cE ': (warning|error|performance|portability): ' "$work/found" || true) findings"
[ ! -s "$work/found" ]
