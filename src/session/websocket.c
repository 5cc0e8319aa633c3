#include "websocket.h"
#include "../base/xalloc.h"

#include <openssl/evp.h>

struct slice
websocket_accept(struct arena *a, struct slice key)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n;
    struct slice text = arena_printf(a, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", SLICE_FMT(key));
    char *out = arena_alloc(a, 32);

    if (!EVP_Digest(text.p, text.n, sum, &n, EVP_sha1(), NULL))
        xalloc_fail();
    return slice_of(out, (size_t)EVP_EncodeBlock((unsigned char *)out, sum, (int)n));
}
