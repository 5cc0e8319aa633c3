/* services: what policies ask of the proxy: upstream health, stores, going on after a suspension. */
#ifndef PROXY_SERVICES_H
#define PROXY_SERVICES_H

#include "../policy/exchange.h"

extern const struct exchange_services proxy_services;

#endif
