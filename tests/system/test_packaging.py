"""What packaging/ holds for Kubernetes: manifests are what the API takes, what they name is there, and each gateway.conf in them is
good; the chart of Helm renders to such manifests. And that packages of either kind are of one layout."""
import copy
import json
import os
import pathlib
import re
import shutil
import subprocess

import jsonschema
import pytest
import yaml

from harness import kubernetes, run_weir
from harness.daemon import TOP

PACKAGING = pathlib.Path(TOP, "packaging")
MANIFESTS = sorted(p.name for p in (PACKAGING / "kubernetes").glob("*.yaml"))
CHART = PACKAGING / "helm" / "weir"


class Strict(yaml.SafeLoader):
    """Refuses a key that stands twice."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(k, deep=True) for k, _ in node.value]
        assert len(keys) == len(set(keys)), f"a key stands twice: {keys} at {node.start_mark}"
        return super().construct_mapping(node, deep)


def load(text):
    return [d for d in yaml.load_all(text, Strict) if d is not None]


def manifest(name):
    return load((PACKAGING / "kubernetes" / name).read_text(encoding="utf-8"))


def of(documents, kind):
    return [d for d in documents if d["kind"] == kind]


def seconds(text, name):
    return int(re.search(rf"drain\s+\{{[^}}]*\b{name} (\d+)s;", text)[1])


def gateway(documents):
    """The container that weir is, its pod, and its configuration."""
    pod = of(documents, "Deployment")[0]["spec"]["template"]["spec"]
    weir = next(c for c in kubernetes.containers(pod) if c["name"] == "weir")
    return weir, pod, of(documents, "ConfigMap")[0]["data"]["gateway.conf"]


def judge(documents, tmp_path):
    """All that must hold of a set of manifests with a gateway in it."""
    assert [f for d in documents for f in kubernetes.faults(d)] == []
    assert kubernetes.cross_faults(documents) == []
    weir, pod, conf = gateway(documents)
    assert kubernetes.restricted_faults(pod) == []
    (tmp_path / "gateway.conf").write_text(conf)
    done = run_weir("check", "-c", tmp_path / "gateway.conf")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr

    # The admin listener is where probes ask, and no Service has it.
    ports = {p["name"]: p["containerPort"] for p in weir["ports"]}
    for probe, path in (("startupProbe", "/health"), ("livenessProbe", "/health"), ("readinessProbe", "/ready")):
        ask = weir[probe]["httpGet"]
        assert ask["path"] == path and f"bind 0.0.0.0:{ports[ask['port']]};" in re.search(r"^admin .*", conf, re.M)[0]
    admin = {weir["startupProbe"]["httpGet"]["port"], ports[weir["startupProbe"]["httpGet"]["port"]]}
    assert not admin & {p["targetPort"] for s in of(documents, "Service") for p in s["spec"]["ports"]}
    binds = set(re.findall(r"^listener .*bind \S+:(\d+);", conf, re.M))
    assert {str(p) for n, p in ports.items() if p not in admin and n not in admin} <= binds

    # A configuration is mounted as a directory: the link in it is what a change of the ConfigMap moves.
    mount = next(m for m in weir["volumeMounts"] if m["mountPath"] == "/etc/weir")
    assert mount["readOnly"] and "subPath" not in mount and re.search(r"^watch\s+on;", conf, re.M)
    # Nothing is cut off: all that waits before SIGTERM, then the drain.
    stops = [c["lifecycle"]["preStop"]["sleep"]["seconds"] for c in kubernetes.containers(pod) if "lifecycle" in c]
    assert sum(stops) + seconds(conf, "lag") + seconds(conf, "timeout") < pod["terminationGracePeriodSeconds"]
    assert weir["args"] == ["run", "--no-supervisor"] and "command" not in weir


# ---- manifests ----

@pytest.mark.parametrize("name", MANIFESTS)
def test_manifest_is_good(name, tmp_path):
    judge(manifest(name), tmp_path)


def test_the_sidecar_has_the_sidecar_example():
    conf = of(manifest("sidecar.yaml"), "ConfigMap")[0]["data"]["gateway.conf"]
    assert conf == pathlib.Path(TOP, "conf", "examples", "sidecar.conf").read_text(encoding="utf-8")


def test_the_sidecar_is_a_native_one():
    pod = of(manifest("sidecar.yaml"), "Deployment")[0]["spec"]["template"]["spec"]
    assert [(c["name"], c["restartPolicy"]) for c in pod["initContainers"]] == [("weir", "Always")]
    # The app goes on while the pod's end becomes known; weir is ended after it.
    assert "preStop" in pod["containers"][0]["lifecycle"] and "lifecycle" not in pod["initContainers"][0]


def change(path, value):
    def apply(documents):
        kind, *way, last = path.split(".")
        at = of(documents, kind)[0]
        for step in way:
            at = at[int(step) if isinstance(at, list) else step]
        last = int(last) if isinstance(at, list) else last
        if value is None:
            del at[last]
        else:
            at[last] = value
    return apply


POD = "Deployment.spec.template.spec."
BREAKS = {
    "an unknown member": change(POD + "containers.0.imagePullpolicy", "Always"),
    "an unknown member of a probe": change(POD + "containers.0.livenessProbe.period", 3),
    "an unknown kind": change("Service.kind", "Servce"),
    "another version": change("PodDisruptionBudget.apiVersion", "policy/v1beta1"),
    "a missing member": change("Deployment.spec.selector", None),
    "a missing image": change(POD + "containers.0.image", None),
    "a text for a number": change("Deployment.spec.replicas", "2"),
    "a number for a text": change(POD + "containers.0.args.0", 1),
    "an annotation that is no text": change("Deployment.spec.template.metadata.annotations.x", 9901),
    "a value of no list": change("NetworkPolicy.spec.policyTypes.0", "ingress"),
    "a port out of range": change(POD + "containers.0.ports.0.containerPort", 65536),
    "a port name too long": change(POD + "containers.0.ports.0.name", "a-name-much-too-long"),
    "a restart policy of an ordinary container": change(POD + "containers.0.restartPolicy", "Always"),
    "a quantity that is none": change(POD + "containers.0.resources.limits.memory", "256Mb"),
    "a Service without pods": change("Service.spec.selector", {"app": "other"}),
    "a port that nobody has": change("Service.spec.ports.0.targetPort", "web"),
    "a probe of a port that is not there": change(POD + "containers.0.readinessProbe.httpGet.port", "metrics"),
    "a volume that is not there": change(POD + "containers.0.volumeMounts.0.name", "config"),
    "root": change(POD + "securityContext.runAsNonRoot", False),
    "a root that can be written": change(POD + "containers.0.securityContext.readOnlyRootFilesystem", False),
    "a capability": change(POD + "containers.0.securityContext.capabilities", {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}),
    "no seccomp": change(POD + "securityContext.seccompProfile.type", "Unconfined"),
    "a grace period that cuts the drain": change(POD + "terminationGracePeriodSeconds", 37),
    "a configuration that is not good": change("ConfigMap.data.gateway.conf", "nonsense;"),
}


@pytest.mark.parametrize("what", BREAKS)
def test_what_is_wrong_is_found(what, tmp_path):
    documents = manifest("gateway.yaml")
    if what == "a configuration that is not good":
        of(documents, "ConfigMap")[0]["data"]["gateway.conf"] += "nonsense;\n"
    else:
        BREAKS[what](documents)
    with pytest.raises((AssertionError, IndexError)):
        judge(documents, tmp_path)


# ---- the chart ----

def values():
    return load((CHART / "values.yaml").read_text(encoding="utf-8"))[0]


def merge(base, over):
    """As Helm lays values over those of the chart."""
    out = copy.deepcopy(base)
    for k, v in over.items():
        out[k] = merge(out[k], v) if isinstance(v, dict) and isinstance(out.get(k), dict) else v
    return out


EVERYTHING = {
    "replicas": 5, "image": {"tag": "1.2.3", "pullPolicy": "Always"}, "imagePullSecrets": ["registry"], "adminPort": 9902,
    "config": "admin { bind 0.0.0.0:9902; }\ndrain { lag 1s; timeout 10s; }\nwatch on;\n"
              "listener a { bind 0.0.0.0:8080; }\nlistener b { bind 0.0.0.0:8443; }\nroute / { respond 200; }\n",
    "ports": [{"name": "http", "containerPort": 8080, "servicePort": 80}, {"name": "https", "containerPort": 8443}],
    "service": {"type": "LoadBalancer", "annotations": {"example.com/kind": "internal"}},
    "envFromSecrets": ["weir-env"], "fileSecrets": ["tls"],
    "preStopSeconds": 0, "terminationGracePeriodSeconds": 20, "podDisruptionBudget": {"minAvailable": "50%"},
    "networkPolicy": {"metricsNamespace": ""}, "prometheusAnnotations": False,
    "podAnnotations": {"a.example.com/b": "c: {d}"},
    "podLabels": {"team": "edge"}, "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "edge", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {"nodeAffinity": {"x": [1, {"y": "z"}]}},
}
LITTLE = {"existingConfigMap": "mine", "podDisruptionBudget": {"enabled": False}, "networkPolicy": {"enabled": False},
          "prometheusAnnotations": False}


def schema():
    return json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))


def test_chart_describes_itself():
    chart = load((CHART / "Chart.yaml").read_text(encoding="utf-8"))[0]
    assert chart["apiVersion"] == "v2" and chart["name"] == CHART.name
    assert f"AC_INIT([weir], [{chart['appVersion']}]" in pathlib.Path(TOP, "configure.ac").read_text(encoding="utf-8")


def test_values_are_those_of_the_schema_and_the_manual():
    jsonschema.Draft7Validator.check_schema(schema())
    for over in ({}, EVERYTHING, LITTLE):
        jsonschema.validate(merge(values(), over), schema(), jsonschema.Draft7Validator)
    assert set(values()) | {"global"} == set(schema()["properties"])
    readme = (CHART / "README.md").read_text(encoding="utf-8")
    assert not [name for name in values() if not re.search(rf"`{name}(\.\w+)?`", readme)]


@pytest.mark.parametrize("over", [
    {"replica": 3}, {"replicas": "3"}, {"image": {"name": "x"}}, {"image": {"pullPolicy": "always"}}, {"ports": []},
    {"ports": [{"name": "admin", "containerPort": 8080}]}, {"ports": [{"name": "http"}]}, {"adminPort": 80},
    {"podAnnotations": {"a": 1}}, {"podDisruptionBudget": {"minAvailable": "half"}}, {"fileSecrets": ["../x"]},
    {"service": {"type": "ExternalName"}}])
def test_values_of_another_kind_are_refused(over):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(merge(values(), over), schema(), jsonschema.Draft7Validator)


@pytest.fixture(scope="module")
def render(tmp_path_factory):
    """Renders the chart with values laid over its own: the documents by template."""
    if not shutil.which("go"):
        pytest.skip("no go here")
    work = tmp_path_factory.mktemp("render")
    env = {**os.environ, "GOCACHE": str(work / "cache"), "GO111MODULE": "off", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    subprocess.run(["go", "build", "-o", str(work / "render"), os.path.join(TOP, "tests", "helm", "render.go")], env=env, check=True)
    chart = load((CHART / "Chart.yaml").read_text(encoding="utf-8"))[0]

    def rendered(over, name="gate"):
        given = {"Chart": {k[0].upper() + k[1:]: v for k, v in chart.items()},
                 "Release": {"Name": name, "Namespace": "edge", "Service": "Helm"},
                 "Values": merge(values(), over),
                 "Templates": {p.name: p.read_text(encoding="utf-8") for p in (CHART / "templates").iterdir()}}
        done = subprocess.run([str(work / "render")], input=json.dumps(given), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    return rendered


def rendered_documents(texts):
    return [d for name, text in sorted(texts.items()) if name.endswith(".yaml") for d in load(text)]


@pytest.mark.parametrize("over", [{}, EVERYTHING], ids=["as-shipped", "everything"])
def test_chart_renders_to_good_manifests(render, over, tmp_path):
    judge(rendered_documents(render(over)), tmp_path)


def test_chart_carries_each_value_over(render):
    documents = rendered_documents(render(EVERYTHING))
    weir, pod, conf = gateway(documents)
    assert conf == EVERYTHING["config"]
    assert (weir["image"], weir["imagePullPolicy"]) == ("registry.example.com/weir:1.2.3", "Always")
    assert of(documents, "Deployment")[0]["spec"]["replicas"] == 5 and pod["imagePullSecrets"] == [{"name": "registry"}]
    for name in ("affinity", "tolerations", "nodeSelector"):
        assert pod[name] == EVERYTHING[name]
    template = of(documents, "Deployment")[0]["spec"]["template"]["metadata"]
    assert template["annotations"] == EVERYTHING["podAnnotations"] and template["labels"]["team"] == "edge"
    assert weir["envFrom"] == [{"secretRef": {"name": "weir-env"}}] and "lifecycle" not in weir
    assert {"name": "secret-tls", "mountPath": "/etc/weir-secrets/tls", "readOnly": True} in weir["volumeMounts"]
    service = of(documents, "Service")[0]
    assert service["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": "http"}] and service["spec"]["type"] == "LoadBalancer"
    assert service["metadata"]["annotations"] == EVERYTHING["service"]["annotations"]
    assert of(documents, "PodDisruptionBudget")[0]["spec"]["minAvailable"] == "50%"
    assert len(of(documents, "NetworkPolicy")[0]["spec"]["ingress"]) == 1


def test_chart_leaves_out_what_is_off(render):
    texts = render(LITTLE, name="weir")
    documents = rendered_documents(texts)
    assert sorted(d["kind"] for d in documents) == ["Deployment", "Service"]
    assert [f for d in documents for f in kubernetes.faults(d)] == [] and kubernetes.cross_faults(documents) == []
    pod = of(documents, "Deployment")[0]["spec"]["template"]
    assert pod["spec"]["volumes"] == [{"name": "conf", "configMap": {"name": "mine"}}] and "annotations" not in pod["metadata"]
    # A release that is called like the chart is not called twice so.
    assert {d["metadata"]["name"] for d in documents} == {"weir"} and "as weir.edge." in texts["NOTES.txt"]


# ---- packages of distributions ----

def test_spec_names_the_module_interface():
    """Its %prep ends where it does not: only there is the header unpacked."""
    header = pathlib.Path(TOP, "src/include/weir/module.h").read_text(encoding="utf-8")
    spec = (PACKAGING / "rpm" / "weir.spec").read_text(encoding="utf-8")
    for part in ("major", "minor"):
        number = re.search(rf"^#define WEIR_ABI_{part.upper()} (\d+)$", header, re.M)[1]
        assert f"\n%global abi_{part} {number}\n" in spec


@pytest.mark.skipif(not shutil.which("rpmspec"), reason="no rpmspec here")
def test_spec_has_the_layout_of_the_debian_package():
    places = {"_unitdir": "/lib/systemd/system", "_sysusersdir": "/usr/lib/sysusers.d", "_libdir": "/usr/lib/*",
              "_docdir": "/usr/share/doc"}
    define = [w for k, v in places.items() for w in ("--define", f"{k} {v}")]
    spec = str(PACKAGING / "rpm" / "weir.spec")
    done = subprocess.run(["rpmspec", "-P", *define, spec], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    version = re.search(r"^Version:\s*(\S+)", done.stdout, re.M)[1]
    assert f"AC_INIT([weir], [{version}]" in pathlib.Path(TOP, "configure.ac").read_text(encoding="utf-8")
    # Each file of the one is a file of the other.
    files = done.stdout.partition("\n%files\n")[2].partition("\n%files devel\n")[0]
    listed = {line.split()[-1].rstrip("*") for line in files.splitlines()
              if line and not line.startswith(("%dir", "%license", "%attr"))}
    installed = (PACKAGING / "debian" / "weir.install").read_text(encoding="utf-8").split()
    whole = {"/" + w for w in installed} - {"/packaging/logrotate/weir"}
    assert {n for n in listed if not any(n.startswith(w) for w in whole)} == set()
    assert {w for w in whole if not any(n.startswith(w) for n in listed)} == set()
