noinst_LIBRARIES += src/conf/libconf.a
src_conf_libconf_a_SOURCES = \
	src/conf/check.c \
	src/conf/conf.c src/conf/conf.h src/conf/conf_impl.h \
	src/conf/diag.c \
	src/conf/diff.c \
	src/conf/dump.c \
	src/conf/files.c src/conf/files.h \
	src/conf/get.c \
	src/conf/help.c \
	src/conf/include.c \
	src/conf/lexer.c src/conf/lexer.h \
	src/conf/nearest.c \
	src/conf/parser.c \
	src/conf/reference.c \
	src/conf/resolve.c \
	src/conf/rows.c \
	src/conf/source.c \
	src/conf/split.c \
	src/conf/table.c \
	src/conf/tree.c \
	src/conf/value.c
src_conf_libconf_a_CFLAGS = $(AM_CFLAGS)
