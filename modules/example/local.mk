# modules/example
