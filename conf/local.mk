# The configuration is the administrator's: `make install` puts it where none is, `make uninstall` takes it away while it is as shipped.
examplesdir = $(docdir)/examples
dist_examples_DATA = conf/examples/jwt.conf conf/examples/limits.conf conf/examples/canary.conf conf/examples/sidecar.conf conf/examples/grpc.conf
EXTRA_DIST += conf/gateway.conf
weirconf = $(DESTDIR)$(sysconfdir)/weir/gateway.conf

install-conf:
	$(MKDIR_P) $(DESTDIR)$(sysconfdir)/weir
	test -f $(weirconf) || $(INSTALL_DATA) $(srcdir)/conf/gateway.conf $(weirconf)

uninstall-conf:
	! cmp -s $(srcdir)/conf/gateway.conf $(weirconf) || rm -f $(weirconf)

.PHONY: install-conf uninstall-conf
