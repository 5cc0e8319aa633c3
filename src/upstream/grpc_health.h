/* grpc_health: the messages of the gRPC health checking protocol (grpc.health.v1.Health/Check), which are so small that
 * no protobuf library is needed for them. */
#ifndef UPSTREAM_GRPC_HEALTH_H
#define UPSTREAM_GRPC_HEALTH_H

#include "../base/slice.h"

#define GRPC_HEALTH_PATH "/grpc.health.v1.Health/Check"
#define GRPC_HEALTH_SERVICE_MAX 127
#define GRPC_HEALTH_REQUEST_MAX (5 + 2 + GRPC_HEALTH_SERVICE_MAX)

/* HealthCheckResponse.ServingStatus. */
enum grpc_serving { GRPC_SERVING_UNKNOWN, GRPC_SERVING, GRPC_NOT_SERVING, GRPC_SERVICE_UNKNOWN };

/* A length-prefixed HealthCheckRequest for the service ("": the server as a whole). Its length. */
size_t grpc_health_request(char out[GRPC_HEALTH_REQUEST_MAX], struct slice service);
/* The status in a length-prefixed HealthCheckResponse; -1: it is none. */
int grpc_health_response(struct slice body);
const char *grpc_serving_name(int status);

#endif
