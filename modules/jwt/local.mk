weirmodule_LTLIBRARIES += modules/jwt/jwt.la
noinst_LTLIBRARIES += modules/jwt/libpolicy_jwt.la
modules_jwt_libpolicy_jwt_la_SOURCES = modules/jwt/jwt.c modules/jwt/policy.h modules/jwt/jwt_conf.c modules/jwt/jwt_keys.c \
	modules/jwt/alg.c modules/jwt/alg.h modules/jwt/base64url.c modules/jwt/base64url.h modules/jwt/token.c modules/jwt/token.h \
	modules/jwt/keys.c modules/jwt/keys.h modules/jwt/jwk.c modules/jwt/verify.c modules/jwt/verify.h modules/jwt/claims.c \
	modules/jwt/claims.h modules/jwt/cache.c modules/jwt/cache.h modules/jwt/jwks.c modules/jwt/jwks.h
modules_jwt_libpolicy_jwt_la_CFLAGS = $(MODULE_CFLAGS)
modules_jwt_jwt_la_SOURCES =
modules_jwt_jwt_la_LDFLAGS = $(MODULE_LDFLAGS)
modules_jwt_jwt_la_LIBADD = modules/jwt/libpolicy_jwt.la $(JANSSON_LIBS) $(OPENSSL_LIBS)
EXTRA_DIST += modules/jwt/README.md

if HAVE_CMOCKA
check_PROGRAMS += modules/jwt/test_token
modules_jwt_test_token_SOURCES = modules/jwt/test_token.c
modules_jwt_test_token_CFLAGS = $(MODULE_TEST_CFLAGS)
modules_jwt_test_token_LDADD = modules/jwt/libpolicy_jwt.la $(MODULE_TEST_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS)
check_PROGRAMS += modules/jwt/test_keys
modules_jwt_test_keys_SOURCES = modules/jwt/test_keys.c modules/jwt/signer.c modules/jwt/signer.h
modules_jwt_test_keys_CFLAGS = $(MODULE_TEST_CFLAGS)
modules_jwt_test_keys_LDADD = modules/jwt/libpolicy_jwt.la $(MODULE_TEST_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS) $(JWT_LIBS)
check_PROGRAMS += modules/jwt/test_claims
modules_jwt_test_claims_SOURCES = modules/jwt/test_claims.c
modules_jwt_test_claims_CFLAGS = $(MODULE_TEST_CFLAGS)
modules_jwt_test_claims_LDADD = modules/jwt/libpolicy_jwt.la $(MODULE_TEST_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS)
check_PROGRAMS += modules/jwt/test_cache
modules_jwt_test_cache_SOURCES = modules/jwt/test_cache.c
modules_jwt_test_cache_CFLAGS = $(MODULE_TEST_CFLAGS)
modules_jwt_test_cache_LDADD = modules/jwt/libpolicy_jwt.la $(MODULE_TEST_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS)
check_PROGRAMS += modules/jwt/test_jwks
modules_jwt_test_jwks_SOURCES = modules/jwt/test_jwks.c modules/jwt/signer.c modules/jwt/signer.h
modules_jwt_test_jwks_CFLAGS = $(MODULE_TEST_CFLAGS)
modules_jwt_test_jwks_LDADD = modules/jwt/libpolicy_jwt.la $(MODULE_TEST_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS) $(JWT_LIBS)
check_PROGRAMS += modules/jwt/test_jwt
modules_jwt_test_jwt_SOURCES = modules/jwt/test_jwt.c modules/jwt/signer.c modules/jwt/signer.h
modules_jwt_test_jwt_CFLAGS = $(MODULE_TEST_CFLAGS)
modules_jwt_test_jwt_LDADD = modules/jwt/libpolicy_jwt.la $(MODULE_TEST_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS) $(JWT_LIBS)
endif
