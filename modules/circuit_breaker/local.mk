# modules/circuit_breaker
