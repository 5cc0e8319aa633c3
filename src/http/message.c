#include "message.h"

static const struct slice methods[METHOD_COUNT] = {
    [METHOD_OTHER] = { "other", 5 },     [METHOD_GET] = { "GET", 3 },         [METHOD_HEAD] = { "HEAD", 4 },
    [METHOD_POST] = { "POST", 4 },       [METHOD_PUT] = { "PUT", 3 },         [METHOD_DELETE] = { "DELETE", 6 },
    [METHOD_CONNECT] = { "CONNECT", 7 }, [METHOD_OPTIONS] = { "OPTIONS", 7 }, [METHOD_TRACE] = { "TRACE", 5 },
    [METHOD_PATCH] = { "PATCH", 5 },
};

/* The one method that starts with this letter and has this length, if any. */
static enum http_method
method_candidate(struct slice s)
{
    switch (s.p[0]) {
    case 'G':
        return METHOD_GET;
    case 'H':
        return METHOD_HEAD;
    case 'P':
        return s.n == 3 ? METHOD_PUT : s.n == 4 ? METHOD_POST : METHOD_PATCH;
    case 'D':
        return METHOD_DELETE;
    case 'C':
        return METHOD_CONNECT;
    case 'O':
        return METHOD_OPTIONS;
    case 'T':
        return METHOD_TRACE;
    default:
        return METHOD_OTHER;
    }
}

enum http_method
method_lookup(struct slice s)
{
    enum http_method m = s.n ? method_candidate(s) : METHOD_OTHER;

    return m != METHOD_OTHER && slice_eq(s, methods[m]) ? m : METHOD_OTHER;
}

const char *
method_name(enum http_method m)
{
    return methods[(unsigned)m < METHOD_COUNT ? m : METHOD_OTHER].p;
}

bool
method_idempotent(enum http_method m)
{
    switch (m) {
    case METHOD_GET:
    case METHOD_HEAD:
    case METHOD_PUT:
    case METHOD_DELETE:
    case METHOD_OPTIONS:
    case METHOD_TRACE:
        return true;
    default:
        return false;
    }
}

bool
method_safe(enum http_method m)
{
    return m == METHOD_GET || m == METHOD_HEAD || m == METHOD_OPTIONS || m == METHOD_TRACE;
}

/* The IANA registry of status codes. */
static const char *const phrases[] = {
    [100] = "Continue",
    [101] = "Switching Protocols",
    [102] = "Processing",
    [103] = "Early Hints",
    [200] = "OK",
    [201] = "Created",
    [202] = "Accepted",
    [203] = "Non-Authoritative Information",
    [204] = "No Content",
    [205] = "Reset Content",
    [206] = "Partial Content",
    [207] = "Multi-Status",
    [208] = "Already Reported",
    [226] = "IM Used",
    [300] = "Multiple Choices",
    [301] = "Moved Permanently",
    [302] = "Found",
    [303] = "See Other",
    [304] = "Not Modified",
    [305] = "Use Proxy",
    [307] = "Temporary Redirect",
    [308] = "Permanent Redirect",
    [400] = "Bad Request",
    [401] = "Unauthorized",
    [402] = "Payment Required",
    [403] = "Forbidden",
    [404] = "Not Found",
    [405] = "Method Not Allowed",
    [406] = "Not Acceptable",
    [407] = "Proxy Authentication Required",
    [408] = "Request Timeout",
    [409] = "Conflict",
    [410] = "Gone",
    [411] = "Length Required",
    [412] = "Precondition Failed",
    [413] = "Content Too Large",
    [414] = "URI Too Long",
    [415] = "Unsupported Media Type",
    [416] = "Range Not Satisfiable",
    [417] = "Expectation Failed",
    [421] = "Misdirected Request",
    [422] = "Unprocessable Content",
    [423] = "Locked",
    [424] = "Failed Dependency",
    [425] = "Too Early",
    [426] = "Upgrade Required",
    [428] = "Precondition Required",
    [429] = "Too Many Requests",
    [431] = "Request Header Fields Too Large",
    [451] = "Unavailable For Legal Reasons",
    [500] = "Internal Server Error",
    [501] = "Not Implemented",
    [502] = "Bad Gateway",
    [503] = "Service Unavailable",
    [504] = "Gateway Timeout",
    [505] = "HTTP Version Not Supported",
    [506] = "Variant Also Negotiates",
    [507] = "Insufficient Storage",
    [508] = "Loop Detected",
    [511] = "Network Authentication Required",
};

const char *
status_phrase(int status)
{
    if (status < 0 || status >= (int)(sizeof(phrases) / sizeof(phrases[0])) || !phrases[status])
        return "";
    return phrases[status];
}

bool
status_has_no_body(int status)
{
    return (status >= 100 && status < 200) || status == 204 || status == 304;
}
