# Unit tests of src/session.
check_PROGRAMS += tests/unit/session/test_down_h1 tests/unit/session/test_up_h1 tests/unit/session/test_fetch tests/unit/session/test_over_tls
tests_unit_session_test_down_h1_SOURCES = tests/unit/session/test_down_h1.c tests/unit/session/wire.h
tests_unit_session_test_down_h1_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_session_test_down_h1_LDADD = $(LIBS_3) $(CMOCKA_LIBS)
tests_unit_session_test_up_h1_SOURCES = tests/unit/session/test_up_h1.c tests/unit/session/wire.h
tests_unit_session_test_up_h1_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_session_test_up_h1_LDADD = $(LIBS_3) $(CMOCKA_LIBS)
tests_unit_session_test_fetch_SOURCES = tests/unit/session/test_fetch.c tests/unit/session/wire.h
tests_unit_session_test_fetch_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_session_test_fetch_LDADD = $(LIBS_3) $(CMOCKA_LIBS)
tests_unit_session_test_over_tls_SOURCES = tests/unit/session/test_over_tls.c tests/unit/session/wire.h
tests_unit_session_test_over_tls_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(OPENSSL_CFLAGS)
tests_unit_session_test_over_tls_LDADD = $(LIBS_3) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/session/test_patience
tests_unit_session_test_patience_SOURCES = tests/unit/session/test_patience.c
tests_unit_session_test_patience_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_session_test_patience_LDADD = $(LIBS_3) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/session/test_down_h2 tests/unit/session/test_up_h2 tests/unit/session/test_glitch
tests_unit_session_test_down_h2_SOURCES = tests/unit/session/test_down_h2.c tests/unit/session/frames.h tests/unit/session/wire.h
tests_unit_session_test_down_h2_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(NGHTTP2_CFLAGS)
tests_unit_session_test_down_h2_LDADD = $(LIBS_3) $(CMOCKA_LIBS)
tests_unit_session_test_up_h2_SOURCES = tests/unit/session/test_up_h2.c tests/unit/session/frames.h tests/unit/session/wire.h
tests_unit_session_test_up_h2_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(NGHTTP2_CFLAGS)
tests_unit_session_test_up_h2_LDADD = $(LIBS_3) $(CMOCKA_LIBS)
tests_unit_session_test_glitch_SOURCES = tests/unit/session/test_glitch.c
tests_unit_session_test_glitch_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_session_test_glitch_LDADD = $(LIBS_3) $(CMOCKA_LIBS)
