# Installed files that are not programs, and what else belongs to a source archive.
EXTRA_DIST += packaging/systemd/weir.service packaging/kubernetes/sidecar.yaml packaging/packages.sh packages.txt quickstart.sh runtests.sh \
	autogen.sh .ci/run
weirunit = $(DESTDIR)$(systemdsystemunitdir)/weir.service

# For authors of modules: pkg-config --cflags weir, --variable=moduledir weir.
pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = src/include/weir.pc

# The unit names the directories of a package; these are the true ones.
install-unit:
	$(MKDIR_P) $(DESTDIR)$(systemdsystemunitdir)
	sed -e 's|/usr/sbin/|$(sbindir)/|' -e 's|/etc/weir|$(sysconfdir)/weir|' $(srcdir)/packaging/systemd/weir.service >$(weirunit)

uninstall-unit:
	rm -f $(weirunit)

install-data-local: install-conf install-unit
install-data-hook: install-man-paths
uninstall-local: uninstall-conf uninstall-unit

.PHONY: install-unit uninstall-unit
