/* A signed token (RFC 7519) for the demonstration. */
#include "demo.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* base64url without padding (RFC 4648 5). Returns the length. */
static size_t
base64url(char *out, const void *p, size_t n)
{
    int len = EVP_EncodeBlock((unsigned char *)out, p, (int)n);
    while (len > 0 && out[len - 1] == '=')
        len--;
    out[len] = '\0';
    for (int i = 0; i < len; i++)
        out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
    return (size_t)len;
}

void
demo_token(const struct demo *d, const char *scope, char out[512])
{
    static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
    char claims[256];
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;
    int n =
        snprintf(claims, sizeof claims,
                 "{\"iss\":\"https://demo.example/\",\"aud\":\"orders\",\"sub\":\"ada\",\"scope\":\"%s\",\"exp\":%lld}",
                 scope, (long long)time(NULL) + 86400);
    size_t at = base64url(out, header, sizeof header - 1);
    out[at++] = '.';
    at += base64url(out + at, claims, (size_t)n);
    HMAC(EVP_sha256(), d->secret, (int)strlen(d->secret), (unsigned char *)out, at, mac, &mac_len);
    out[at++] = '.';
    base64url(out + at, mac, mac_len);
}
