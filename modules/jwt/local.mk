# modules/jwt
