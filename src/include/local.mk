weirincludedir = $(includedir)/weir
weirinclude_HEADERS = src/include/weir/types.h src/include/weir/module.h
