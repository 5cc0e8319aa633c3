# modules/canary
