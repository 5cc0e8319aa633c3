# `make bench`: weir beside the floor forwarder, nginx and haproxy. Not part of `make check`: figures of a busy machine
# mean nothing. NOTES.md says how to read them.
bench_programs = tests/bench/floor tests/bench/sink tests/bench/steady
EXTRA_PROGRAMS = $(bench_programs)
tests_bench_floor_SOURCES = tests/bench/floor.c
tests_bench_floor_CFLAGS = $(AM_CFLAGS)
tests_bench_sink_SOURCES = tests/bench/sink.c
tests_bench_sink_CFLAGS = $(AM_CFLAGS)
tests_bench_steady_SOURCES = tests/bench/steady.c
tests_bench_steady_CFLAGS = $(AM_CFLAGS)
EXTRA_DIST += tests/bench/NOTES.md tests/bench/bench.py tests/bench/process.py tests/bench/peers.py \
	tests/bench/load.py tests/bench/tokens.py tests/bench/scenarios.py tests/bench/measures.py tests/bench/handshakes.py \
	tests/bench/report.py tests/bench/instructions.py tests/bench/instructions.txt \
	tests/bench/grow.py tests/bench/growth.py tests/bench/counts.py tests/bench/allocs.c
CLEANFILES += $(EXTRA_PROGRAMS)

.PHONY: bench
bench: all $(bench_programs)
	rm -rf bench-root
	$(MAKE) -s install DESTDIR= prefix=$(abs_builddir)/bench-root exec_prefix=$(abs_builddir)/bench-root \
		sysconfdir=$(abs_builddir)/bench-root/etc systemdsystemunitdir=$(abs_builddir)/bench-root/units >/dev/null
	/usr/bin/python3 $(srcdir)/tests/bench/bench.py --weir bench-root/sbin/weir --programs tests/bench $(BENCH_FLAGS)

# Instructions per request against the figures in instructions.txt. Of the installed tree, built with -O2 and without
# sanitizers.
.PHONY: instructions
instructions:
	/usr/bin/python3 $(srcdir)/tests/bench/instructions.py --weir $(DESTDIR)$(sbindir)/weir $(BENCH_FLAGS)
