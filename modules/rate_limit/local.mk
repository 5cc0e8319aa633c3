# modules/rate_limit
