#include "h2_options.h"
#include "../base/xalloc.h"

/* Settings in one frame, answers to PING and SETTINGS that wait, CONTINUATION frames of one head (the largest head that
 * can be configured fits). */
#define SETTINGS_MAX 32
#define ACKS_MAX 1000
#define CONTINUATIONS_MAX 24
/* A head that is sent, as nghttp2 counts it beforehand: more than any that comes in by the limits. */
#define HEAD_OUT_MAX (1 << 20)

nghttp2_option *
h2_options_new(void)
{
    nghttp2_option *option;

    if (nghttp2_option_new(&option) != 0)
        xalloc_fail();
    /* Windows are given back as owners of streams take what came. */
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_settings(option, SETTINGS_MAX);
    nghttp2_option_set_max_outbound_ack(option, ACKS_MAX);
    nghttp2_option_set_max_continuations(option, CONTINUATIONS_MAX);
    nghttp2_option_set_max_send_header_block_length(option, HEAD_OUT_MAX);
    return option;
}
