weirmodule_LTLIBRARIES += modules/example/example.la
modules_example_example_la_SOURCES = modules/example/example.c
modules_example_example_la_LDFLAGS = $(MODULE_LDFLAGS)
