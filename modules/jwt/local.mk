weirmodule_LTLIBRARIES += modules/jwt/jwt.la
jwt_sources = modules/jwt/jwt.c modules/jwt/jwt.h modules/jwt/jwt_conf.c modules/jwt/jwt_keys.c \
	modules/jwt/alg.c modules/jwt/alg.h modules/jwt/base64url.c modules/jwt/base64url.h modules/jwt/token.c modules/jwt/token.h \
	modules/jwt/keys.c modules/jwt/keys.h modules/jwt/jwk.c modules/jwt/verify.c modules/jwt/verify.h \
	modules/jwt/claims.c modules/jwt/claims.h modules/jwt/cache.c modules/jwt/cache.h modules/jwt/jwks.c modules/jwt/jwks.h
modules_jwt_jwt_la_SOURCES = $(jwt_sources)
modules_jwt_jwt_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(OPENSSL_CFLAGS)
modules_jwt_jwt_la_LDFLAGS = $(MODULE_LDFLAGS)
modules_jwt_jwt_la_LIBADD = $(JANSSON_LIBS) $(OPENSSL_LIBS)
