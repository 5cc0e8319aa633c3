dist_man_MANS += man/weir.8 man/gateway.conf.5
dist_check_SCRIPTS += man/reference.sh

# Where the modules are that the reference is made from: not installed yet, each beside its sources.
REFERENCE_MODULES = modules/jwt/.libs modules/rate_limit/.libs modules/circuit_breaker/.libs modules/canary/.libs \
	modules/grpc_web/.libs
REFERENCE_WORDS = $(srcdir)/man/gateway.conf.5 ./weir$(EXEEXT) $(REFERENCE_MODULES)

# Puts the reference into the page; the result is checked in, and `make check` finds it when it lags behind.
man-reference: all
	$(srcdir)/man/reference.sh $(REFERENCE_WORDS) >gateway.conf.5.new
	mv gateway.conf.5.new $(srcdir)/man/gateway.conf.5

check-local: all
	$(srcdir)/man/reference.sh --check $(REFERENCE_WORDS)

# The pages name the directories of a package; these are the true ones.
install-man-paths:
	for page in $(DESTDIR)$(man8dir)/weir.8 $(DESTDIR)$(man5dir)/gateway.conf.5; do \
	    sed -e 's|/usr/lib/weir/modules|$(weirmoduledir)|' -e 's|/usr/share/doc/weir|$(docdir)|' \
		-e 's|/etc/weir|$(sysconfdir)/weir|' $$page >$$page.new && mv $$page.new $$page || exit 1; \
	done

.PHONY: man-reference install-man-paths
