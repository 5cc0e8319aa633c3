#include "split.h"

#include <math.h>
#include <stddef.h>

#define HUNDRED_SLACK 1e-6 /* what decimal fractions may miss 100 by */

static double
sum_of(const double *weights, unsigned n)
{
    double sum = 0;
    for (unsigned i = 0; i < n; i++)
        sum += weights[i];
    return sum;
}

/* 53 bits, evenly in [0, 1). */
static double
unit_of(uint64_t r)
{
    return (double)(r >> 11) * 0x1p-53;
}

int
split_random(const double *weights, unsigned n, uint64_t r)
{
    double at = unit_of(r) * sum_of(weights, n);
    int last = -1;
    for (unsigned i = 0; i < n; i++) {
        if (weights[i] <= 0)
            continue;
        last = (int)i;
        if (at < weights[i])
            return last;
        at -= weights[i];
    }
    return last; /* rounding left a crumb beyond the last one */
}

/* splitmix64's finisher (Steele, Lea, Flood 2014): every input bit reaches every output bit. */
static uint64_t
mix(uint64_t z)
{
    z += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

int
split_keyed(const double *weights, const uint64_t *seeds, unsigned n, uint64_t key)
{
    int best = -1;
    double least = 0;
    for (unsigned i = 0; i < n; i++) {
        if (weights[i] <= 0)
            continue;
        /* An exponential with rate `weight`: the least of them falls on i with probability weight / sum. */
        double score = -log(unit_of(mix(key ^ mix(seeds[i]))) + 0x1p-54) / weights[i];
        if (best >= 0 && score >= least)
            continue;
        best = (int)i;
        least = score;
    }
    return best;
}

const char *
split_rebalance(const double *old, const bool *named, const double *wanted, unsigned n, double *out)
{
    double ordered = 0, rest = 0;
    unsigned unnamed = 0;
    for (unsigned i = 0; i < n; i++) {
        if (named[i]) {
            if (!(wanted[i] >= 0 && wanted[i] <= 100))
                return "a weight must be from 0 to 100";
            ordered += wanted[i];
        } else {
            rest += old[i];
            unnamed++;
        }
    }
    double left = 100 - ordered;
    if (left < -HUNDRED_SLACK)
        return "the weights add up to more than 100";
    if (left < HUNDRED_SLACK)
        left = 0;
    if (unnamed == 0 && left > 0)
        return "all variants are named but the weights add up to less than 100";
    if (left > 0 && rest <= 0)
        return "the variants that are not named have weight 0 and cannot share what is left";
    for (unsigned i = 0; i < n; i++)
        out[i] = named[i] ? wanted[i] : left > 0 ? left * old[i] / rest : 0;
    return NULL;
}
