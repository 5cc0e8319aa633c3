# Installed files that are not programs, and what else belongs to a source archive.
EXTRA_DIST += packaging/systemd/weir.service packaging/packages.sh packages.txt quickstart.sh runtests.sh \
	autogen.sh .ci/run .clang-format packaging/logrotate/weir
EXTRA_DIST += packaging/debian/build.sh packaging/debian/changelog packaging/debian/control packaging/debian/copyright \
	packaging/debian/not-installed packaging/debian/rules packaging/debian/source/format packaging/debian/weir-dev.examples \
	packaging/debian/weir-dev.install packaging/debian/weir.install packaging/debian/weir.lintian-overrides \
	packaging/debian/weir.postinst packaging/debian/weir.postrm packaging/debian/try.sh
EXTRA_DIST += packaging/container/Dockerfile packaging/container/Dockerfile.dockerignore packaging/container/collect.sh \
	packaging/container/gateway.conf packaging/container/try.py
EXTRA_DIST += packaging/rpm/weir.spec packaging/kubernetes/gateway.yaml packaging/kubernetes/sidecar.yaml packaging/helm/weir/Chart.yaml \
	packaging/helm/weir/README.md packaging/helm/weir/values.yaml packaging/helm/weir/values.schema.json \
	packaging/helm/weir/templates/NOTES.txt packaging/helm/weir/templates/_helpers.tpl \
	packaging/helm/weir/templates/configmap.yaml packaging/helm/weir/templates/deployment.yaml \
	packaging/helm/weir/templates/networkpolicy.yaml packaging/helm/weir/templates/poddisruptionbudget.yaml \
	packaging/helm/weir/templates/service.yaml
weirunit = $(DESTDIR)$(systemdsystemunitdir)/weir.service

# The user that the unit names; systemd-sysusers makes it.
sysusersdir = $(prefix)/lib/sysusers.d
dist_sysusers_DATA = packaging/systemd/sysusers.d/weir.conf

# For authors of modules: pkg-config --cflags weir, --variable=moduledir weir.
pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = src/include/weir.pc

# The unit names the directories of a package; these are the true ones.
install-unit:
	$(MKDIR_P) $(DESTDIR)$(systemdsystemunitdir)
	sed -e 's|/usr/sbin/|$(sbindir)/|' -e 's|/etc/weir|$(sysconfdir)/weir|' $(srcdir)/packaging/systemd/weir.service >$(weirunit)

uninstall-unit:
	rm -f $(weirunit)

# libtool's own notes are of no use to a program that loads modules by dlopen.
remove-la:
	cd $(DESTDIR)$(weirmoduledir) && rm -f *.la

uninstall-modules:
	for module in $(weirmodule_LTLIBRARIES); do \
	    rm -f $(DESTDIR)$(weirmoduledir)/`basename $$module .la`.so; \
	done

install-data-local: install-conf install-unit
install-data-hook: install-man-paths remove-la
uninstall-local: uninstall-conf uninstall-unit uninstall-modules

# Tests of the whole daemon: whatever is there, but for what running them has left.
dist-hook:
	cd $(srcdir) && find tests/system \( -name '*.py' -o -name '*.ini' -o -name '*.conf' \) | tar -cf - -T - | (cd $(abs_builddir)/$(distdir) && tar -xf -)

# Debian packages in ./deb.
deb: dist
	$(srcdir)/packaging/debian/build.sh $(distdir).tar.xz deb

.PHONY: deb install-unit uninstall-unit remove-la uninstall-modules
