/*
 * The same bucket in Redis: check and take are one step on the server, by the server's clock, so that gateways need not
 * agree on the time and no two requests take the same token. KEYS[1]: the bucket. ARGV[1]: microseconds for one token.
 * ARGV[2]: microseconds to fill it. Returns {allowed, left, retry_after_us, full_after_us}. A key always has an expiry:
 * the moment when the bucket is full, which is the same as no key. Seconds count from 1.7e9 after the epoch, so that a
 * double holds hundredths of a microsecond; the slack in the comparison is for what rounding takes from a token that is
 * there.
 */
#ifndef REDIS_SCRIPT_H
#define REDIS_SCRIPT_H

static const char redis_script[] =
    "if redis.replicate_commands then redis.replicate_commands() end\n" /* before Redis 5: the script writes after TIME
                                                                         */
    "local emission, capacity = tonumber(ARGV[1]), tonumber(ARGV[2])\n"
    "local t = redis.call('TIME')\n"
    "local now = (tonumber(t[1]) - 1700000000) * 1000000 + tonumber(t[2])\n"
    "local tat = tonumber(redis.call('GET', KEYS[1]) or now) or now\n"
    "if tat < now then tat = now end\n"
    "if tat > now + capacity then tat = now + capacity end\n"
    "local room = now + capacity - tat\n"
    "if room + 0.05 < emission then\n"
    "  redis.call('PEXPIRE', KEYS[1], math.max(1, math.ceil((tat - now) / 1000)))\n"
    "  return {0, 0, math.ceil(emission - room), math.ceil(tat - now)}\n"
    "end\n"
    "tat = tat + emission\n"
    "redis.call('SET', KEYS[1], string.format('%.3f', tat), 'PX', math.max(1, math.ceil((tat - now) / 1000)))\n"
    "return {1, math.floor((room - emission) / emission + 0.001), 0, math.ceil(tat - now)}\n";

#endif
