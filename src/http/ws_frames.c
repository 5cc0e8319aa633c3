#include "ws_frames.h"

#define OPCODE_CLOSE 8
#define MASKED 0x80

/* Bytes of the head, as far as can be told from what there is of it. */
static unsigned
head_length(const struct ws_frames *f)
{
    unsigned length = f->head[1] & 0x7f;

    if (f->have < 2)
        return 2;
    return 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + (f->head[1] & MASKED ? 4 : 0);
}

static uint64_t
payload_length(const struct ws_frames *f)
{
    unsigned n = f->head[1] & 0x7f;
    uint64_t length = 0;

    if (n < 126)
        return n;
    for (unsigned i = 0; i < (n == 126 ? 2 : 8); i++)
        length = length << 8 | f->head[2 + i];
    return length;
}

static void
end_frame(struct ws_frames *f)
{
    f->closed |= (f->head[0] & 0x0f) == OPCODE_CLOSE;
    f->have = 0;
}

/* One more byte of a head. */
static void
take_head(struct ws_frames *f, unsigned char byte)
{
    f->head[f->have++] = byte;
    if (f->have < head_length(f))
        return;
    f->left = payload_length(f);
    if (!f->left)
        end_frame(f);
}

void
ws_frames_follow(struct ws_frames *f, const char *p, size_t n)
{
    while (n) {
        size_t step = n < f->left ? n : (size_t)f->left;

        if (!step) {
            take_head(f, (unsigned char)*p);
            step = 1;
        } else {
            f->left -= step;
            if (!f->left)
                end_frame(f);
        }
        p += step;
        n -= step;
    }
}

uint64_t
ws_frames_rest(const struct ws_frames *f)
{
    return f->left ? f->left : 1;
}

size_t
ws_close_write(char out[WS_CLOSE_MAX], unsigned code, const unsigned char mask[4])
{
    unsigned char payload[2] = { (unsigned char)(code >> 8), (unsigned char)code };
    size_t n = 0;

    out[n++] = (char)(0x80 | OPCODE_CLOSE);
    out[n++] = (char)(sizeof(payload) | (mask ? MASKED : 0));
    for (unsigned i = 0; mask && i < 4; i++)
        out[n++] = (char)mask[i];
    for (unsigned i = 0; i < sizeof(payload); i++)
        out[n++] = (char)(payload[i] ^ (mask ? mask[i] : 0));
    return n;
}
