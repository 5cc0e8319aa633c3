# `make bench`: weir beside the floor forwarder, nginx and haproxy. Not part of `make check`: figures of a busy machine mean nothing.
EXTRA_PROGRAMS = tests/bench/floor
tests_bench_floor_SOURCES = tests/bench/floor.c
tests_bench_floor_CFLAGS = $(AM_CFLAGS)
EXTRA_DIST += tests/bench/bench.py tests/bench/instructions.py tests/bench/instructions.txt
CLEANFILES += $(EXTRA_PROGRAMS)

.PHONY: bench
bench: all tests/bench/floor
	rm -rf bench-root
	$(MAKE) -s install DESTDIR= prefix=$(abs_builddir)/bench-root exec_prefix=$(abs_builddir)/bench-root \
		sysconfdir=$(abs_builddir)/bench-root/etc systemdsystemunitdir=$(abs_builddir)/bench-root/units >/dev/null
	/usr/bin/python3 $(srcdir)/tests/bench/bench.py --weir bench-root/sbin/weir --floor tests/bench/floor $(BENCH_FLAGS)

# Instructions per request against the figures in instructions.txt. Of the installed tree, built with -O2 and without sanitizers.
.PHONY: instructions
instructions:
	/usr/bin/python3 $(srcdir)/tests/bench/instructions.py --weir $(DESTDIR)$(sbindir)/weir $(BENCH_FLAGS)
