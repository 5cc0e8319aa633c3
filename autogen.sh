#!/bin/sh
# Makes ./configure. Needs autoconf, automake, libtool and pkg-config.
cd "$(dirname "$0")" && exec autoreconf --install --force "$@"
