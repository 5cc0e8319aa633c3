"""What Kubernetes takes, as far as the manifests of packaging/ use it: each kind with its members, their types and what must be
there; a member that is not known here is refused, as `kubectl apply --validate=strict` would. Written after the API reference of
Kubernetes 1.30."""
import jsonschema


def obj(required=(), **members):
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": members}


def array(items, least=0):
    return {"type": "array", "items": items, "minItems": least}


def integer(least, most=2**31 - 1):
    return {"type": "integer", "minimum": least, "maximum": most}


STRING = {"type": "string"}
BOOL = {"type": "boolean"}
# RFC 1123 label and subdomain, port name (IANA_SVC_NAME), quantity.
LABEL = {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}
NAME = {"type": "string", "pattern": r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$", "maxLength": 253}
PORT_NAME = {"type": "string", "pattern": r"^(?=.*[a-z])[a-z0-9]([a-z0-9]|-(?!-))*$(?<!-)", "maxLength": 15}
PORT = integer(1, 65535)
QUANTITY = {"oneOf": [{"type": "number"},
                      {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$"}]}
PORT_OR_NAME = {"oneOf": [PORT, PORT_NAME]}
COUNT_OR_SHARE = {"oneOf": [integer(0), {"type": "string", "pattern": "^[0-9]+%$"}]}

LABEL_KEY = r"^([a-z0-9]([-.a-z0-9]*[a-z0-9])?/)?[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$"
LABELS = {"type": "object", "propertyNames": {"pattern": LABEL_KEY},
          "additionalProperties": {"type": "string", "pattern": r"^([A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?)?$"}}
ANNOTATIONS = {"type": "object", "propertyNames": {"pattern": LABEL_KEY}, "additionalProperties": STRING}
SELECTOR = obj(matchLabels={**LABELS, "minProperties": 1})
META = obj(["name"], name=NAME, namespace=LABEL, labels=LABELS, annotations=ANNOTATIONS)

HTTP_GET = obj(["port"], path={"type": "string", "pattern": "^/"}, port=PORT_OR_NAME, scheme={"enum": ["HTTP", "HTTPS"]})
PROBE = obj(["httpGet"], httpGet=HTTP_GET, initialDelaySeconds=integer(0), periodSeconds=integer(1), timeoutSeconds=integer(1),
            failureThreshold=integer(1), successThreshold=integer(1))
HANDLER = {**obj(exec=obj(["command"], command=array(STRING, 1)), sleep=obj(["seconds"], seconds=integer(1))),
           "minProperties": 1, "maxProperties": 1}
PROTOCOL = {"enum": ["TCP", "UDP", "SCTP"]}
QUANTITIES = {"type": "object", "additionalProperties": QUANTITY}
SECCOMP = obj(["type"], type={"enum": ["RuntimeDefault", "Unconfined", "Localhost"]})
CONTAINER = dict(
    name=LABEL, image={"type": "string", "pattern": r"^[a-z0-9.:/_-]+:[A-Za-z0-9_][-.A-Za-z0-9_]*$"},
    imagePullPolicy={"enum": ["Always", "IfNotPresent", "Never"]},
    command=array(STRING), args=array(STRING),
    ports=array(obj(["containerPort"], name=PORT_NAME, containerPort=PORT, protocol=PROTOCOL)),
    env=array(obj(["name"], name=STRING, value=STRING)),
    envFrom=array({**obj(secretRef=obj(["name"], name=NAME), configMapRef=obj(["name"], name=NAME)), "minProperties": 1}),
    lifecycle=obj(preStop=HANDLER, postStart=HANDLER), startupProbe=PROBE, livenessProbe=PROBE, readinessProbe=PROBE,
    resources=obj(requests=QUANTITIES, limits=QUANTITIES),
    securityContext=obj(allowPrivilegeEscalation=BOOL, readOnlyRootFilesystem=BOOL, runAsNonRoot=BOOL, runAsUser=integer(0),
                        runAsGroup=integer(0), capabilities=obj(drop=array(STRING), add=array(STRING)), seccompProfile=SECCOMP),
    volumeMounts=array(obj(["name", "mountPath"], name=LABEL, mountPath={"type": "string", "pattern": "^/[^:]*$"}, readOnly=BOOL,
                           subPath=STRING)))
VOLUME = {**obj(["name"], name=LABEL, configMap=obj(["name"], name=NAME, defaultMode=integer(0, 0o777)),
                secret=obj(["secretName"], secretName=NAME, defaultMode=integer(0, 0o777)),
                emptyDir=obj(medium={"enum": ["", "Memory"]}, sizeLimit=QUANTITY)),
          "minProperties": 2, "maxProperties": 2}
POD = obj(
    ["containers"], containers=array(obj(["name", "image"], **CONTAINER), 1),
    # A native sidecar is an init container with a restart policy of its own, which can be nothing but this.
    initContainers=array(obj(["name", "image"], restartPolicy={"const": "Always"}, **CONTAINER)),
    volumes=array(VOLUME), terminationGracePeriodSeconds=integer(0), automountServiceAccountToken=BOOL, serviceAccountName=NAME,
    securityContext=obj(runAsNonRoot=BOOL, runAsUser=integer(0), runAsGroup=integer(0), fsGroup=integer(0),
                        seccompProfile=SECCOMP),
    hostAliases=array(obj(["ip", "hostnames"], ip=STRING, hostnames=array(STRING, 1))),
    imagePullSecrets=array(obj(["name"], name=NAME)),
    topologySpreadConstraints=array(obj(["maxSkew", "topologyKey", "whenUnsatisfiable"], maxSkew=integer(1), topologyKey=STRING,
                                        whenUnsatisfiable={"enum": ["DoNotSchedule", "ScheduleAnyway"]},
                                        labelSelector=SELECTOR)),
    nodeSelector=LABELS, affinity={"type": "object"},
    tolerations=array(obj(key=STRING, operator={"enum": ["Exists", "Equal"]}, value=STRING, tolerationSeconds=integer(0),
                          effect={"enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]})))

PEER = {**obj(namespaceSelector=SELECTOR, podSelector=SELECTOR, ipBlock=obj(["cidr"], cidr=STRING)), "minProperties": 1}
NETWORK_PORT = obj(port=PORT_OR_NAME, protocol=PROTOCOL)


def kind(version, *required, **members):
    return obj(["apiVersion", "kind", "metadata", *required], apiVersion={"const": version}, kind=STRING, metadata=META,
               **members)


KINDS = {
    "ConfigMap": kind("v1", immutable=BOOL, data={"type": "object", "additionalProperties": STRING,
                                                  "propertyNames": {"pattern": r"^[-._a-zA-Z0-9]+$"}}),
    "Service": kind("v1", "spec", spec=obj(
        ["ports"], type={"enum": ["ClusterIP", "NodePort", "LoadBalancer"]}, selector={**LABELS, "minProperties": 1},
        ports=array(obj(["port"], name=LABEL, port=PORT, targetPort=PORT_OR_NAME, protocol=PROTOCOL), 1))),
    "Deployment": kind("apps/v1", "spec", spec=obj(
        ["selector", "template"], replicas=integer(0), selector=SELECTOR,
        strategy=obj(type={"enum": ["RollingUpdate", "Recreate"]},
                     rollingUpdate=obj(maxUnavailable=COUNT_OR_SHARE, maxSurge=COUNT_OR_SHARE)),
        template=obj(["metadata", "spec"], metadata=obj(["labels"], labels=LABELS, annotations=ANNOTATIONS), spec=POD))),
    "PodDisruptionBudget": kind("policy/v1", "spec", spec={
        **obj(["selector"], minAvailable=COUNT_OR_SHARE, maxUnavailable=COUNT_OR_SHARE, selector=SELECTOR),
        "minProperties": 2, "maxProperties": 2}),
    "NetworkPolicy": kind("networking.k8s.io/v1", "spec", spec=obj(
        ["podSelector"], podSelector=SELECTOR, policyTypes=array({"enum": ["Ingress", "Egress"]}),
        ingress=array(obj(**{"from": array(PEER), "ports": array(NETWORK_PORT)})),
        egress=array(obj(to=array(PEER), ports=array(NETWORK_PORT))))),
}


def faults(document):
    """What Kubernetes would refuse of it, one text each."""
    schema = KINDS.get(document.get("kind") if isinstance(document, dict) else None)
    if not schema:
        return [f"a kind that is not known here: {document}"]
    errors = jsonschema.Draft7Validator(schema).iter_errors(document)
    return [f"{'.'.join(map(str, e.absolute_path))}: {e.message}" for e in errors]


def cross_faults(documents):
    """Names in one place that nothing bears in another: selectors, ports, volumes."""
    found = []
    by = {k: [d for d in documents if d["kind"] == k] for k in KINDS}
    pods = [d["spec"]["template"] for d in by["Deployment"]]
    for d in by["Deployment"]:
        if not d["spec"]["selector"]["matchLabels"].items() <= d["spec"]["template"]["metadata"]["labels"].items():
            found.append("a Deployment does not select its own pods")
    for d in by["Service"] + by["PodDisruptionBudget"] + by["NetworkPolicy"]:
        spec = d["spec"]
        labels = spec["podSelector" if d["kind"] == "NetworkPolicy" else "selector"]
        labels = labels.get("matchLabels", labels)
        chosen = [p for p in pods if labels.items() <= p["metadata"]["labels"].items()]
        if not chosen:
            found.append(f"{d['kind']} {d['metadata']['name']} selects no pod")
        ports = {n for p in chosen for c in containers(p["spec"]) for n in ports_of(c)}
        wanted = [p.get("targetPort", p["port"]) for p in spec.get("ports", [])]
        wanted += [p["port"] for i in spec.get("ingress", []) for p in i.get("ports", [])]
        found += [f"{d['kind']} {d['metadata']['name']}: no container has the port {w}" for w in wanted if w not in ports]
    for p in pods:
        volumes = {v["name"] for v in p["spec"].get("volumes", [])}
        for c in containers(p["spec"]):
            found += [f"{c['name']}: no volume {m['name']}" for m in c.get("volumeMounts", []) if m["name"] not in volumes]
            found += [f"{c['name']}: no port for {name}" for name in ("startupProbe", "livenessProbe", "readinessProbe")
                      if name in c and c[name]["httpGet"]["port"] not in ports_of(c)]
    return found


def ports_of(container):
    """Names and numbers."""
    return {n for port in container.get("ports", []) for n in (port.get("name"), port["containerPort"])}


def containers(spec):
    return spec.get("initContainers", []) + spec["containers"]


def restricted_faults(spec):
    """What the `restricted` profile of Pod Security would refuse of a pod (and, beyond it, a root that can be written)."""
    found = []
    pod = spec.get("securityContext", {})
    for c in containers(spec):
        own = c.get("securityContext", {})
        both = {**pod, **own}
        if both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0:
            found.append(f"{c['name']}: may run as root")
        if both.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            found.append(f"{c['name']}: no seccomp profile")
        if own.get("allowPrivilegeEscalation") is not False:
            found.append(f"{c['name']}: may gain privileges")
        if own.get("capabilities") != {"drop": ["ALL"]}:
            found.append(f"{c['name']}: keeps capabilities")
        if own.get("readOnlyRootFilesystem") is not True:
            found.append(f"{c['name']}: can write its root")
    return found


__all__ = ["containers", "cross_faults", "faults", "restricted_faults"]
