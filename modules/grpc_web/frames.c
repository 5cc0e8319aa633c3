#include "frames.h"

void
frame_head(char out[FRAME_HEAD], unsigned char flag, uint32_t length)
{
    out[0] = (char)flag;
    for (unsigned i = 0; i < 4; i++)
        out[1 + i] = (char)(length >> (24 - 8 * i) & 0xff);
}

bool
frames_follow(struct frames *f, const char *p, size_t n)
{
    while (n) {
        size_t step = 1;

        if (f->have == FRAME_HEAD) {
            step = n < f->left ? n : f->left;
            f->left -= (uint32_t)step;
        } else if (f->have++ == 0) {
            f->left = 0; /* behind the flag */
        } else {
            f->left = f->left << 8 | (unsigned char)*p;
        }
        if (f->have == FRAME_HEAD && !f->left)
            f->have = 0;
        p += step;
        n -= step;
    }
    return f->have == 0;
}
