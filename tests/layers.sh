#!/bin/sh
# layers: an #include points to the own directory or to a lower level, never up or to a sibling; modules see the public
# headers alone. Also the caps: 120 columns, 700 lines a file, 80 lines a function. Prints what breaks a rule; exit 1.
cd "${srcdir:-.}" || exit 2
find src modules -name '*.[ch]' | LC_ALL=C sort | xargs awk '
    BEGIN {
        n = split("base:0 conf:1 http:1 event:1 stats:1 net:2 session:3 upstream:4 store:4 observe:4 policy:4 " \
                  "proxy:5 admin:6 daemon:7", rows)
        for (i = 1; i <= n; i++) {
            split(rows[i], row, ":")
            level[row[1]] = row[2]
        }
    }

    function wrong(what) {
        printf "%s:%d: %s\n", FILENAME, FNR, what
        bad = 1
    }

    FNR == 1 {
        split(FILENAME, part, "/")
        tree = part[1]
        own = part[2]
        start = 0
        if (tree == "src" && own != "include" && !(own in level))
            wrong("src/" own " has no level in tests/layers.sh")
    }

    length($0) > 120 { wrong("longer than 120 columns") }
    FNR == 701 { wrong("more than 700 lines in one file") }

    # A function stands between a { and a } in the first column.
    $0 == "{" { start = FNR }
    $0 == "}" && start {
        if (FNR - start + 1 > 80)
            wrong("a function of more than 80 lines")
        start = 0
    }

    /^[ \t]*#[ \t]*include[ \t]*"/ {
        split($0, quoted, "\"")
        path = quoted[2]
        if (tree == "modules") {
            if (path ~ /src\//)
                wrong("a module includes " path)
        } else if (path ~ /^\.\.\//) {
            split(path, step, "/")
            if (step[2] != own && (!(step[2] in level) || level[step[2]] >= level[own]))
                wrong("src/" own " includes " path ", which is not below it")
        } else if (path ~ /\//)
            wrong(path " is not given relative to its own directory")
    }

    END { exit bad }
'
