"""Checks that Python's kubernetes client works against the cluster of a kubeconfig: one line a check."""

import sys
import time
import traceback

from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.rest import ApiException

NAMESPACE = "python-client"


def config_map(name, **data):
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels={"from": "python"}), data=data)


def template(name):
    return client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels={"app": name}),
        spec=client.V1PodSpec(containers=[client.V1Container(name="main", image="example.test/app:1")]),
    )


def eventually(what, condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"timed out: {what}")


def expect(holds, words):
    if not holds:
        raise AssertionError(words)


def typed():
    core = client.CoreV1Api()
    made = core.create_namespaced_config_map(NAMESPACE, config_map("one", key="value"))
    made.data["key"] = "changed"
    core.replace_namespaced_config_map("one", NAMESPACE, made)
    core.patch_namespaced_config_map("one", NAMESPACE, {"data": {"patched": "yes"}})
    live = core.read_namespaced_config_map("one", NAMESPACE)
    expect(live.data == {"key": "changed", "patched": "yes"}, live.data)
    found = core.list_namespaced_config_map(NAMESPACE, label_selector="from=python")
    expect(len(found.items) == 1, found)
    core.delete_namespaced_config_map("one", NAMESPACE)


def watching():
    core = client.CoreV1Api()
    version = core.list_namespaced_config_map(NAMESPACE).metadata.resource_version
    core.create_namespaced_config_map(NAMESPACE, config_map("watched", key="value"))
    core.delete_namespaced_config_map("watched", NAMESPACE)
    kinds = []
    stream = watch.Watch()
    for event in stream.stream(
        core.list_namespaced_config_map, NAMESPACE, resource_version=version, timeout_seconds=20,
        label_selector="from=python",
    ):
        kinds.append(event["type"])
        if event["type"] == "DELETED":
            stream.stop()
    expect(kinds == ["ADDED", "DELETED"], kinds)


def pages():
    core = client.CoreV1Api()
    for index in range(7):
        core.create_namespaced_config_map(NAMESPACE, config_map(f"page-{index}"))
    names, token = [], None
    while True:
        page = core.list_namespaced_config_map(NAMESPACE, limit=3, _continue=token, label_selector="from=python")
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue
        if not token:
            break
    expect(names == [f"page-{index}" for index in range(7)], names)
    core.delete_collection_namespaced_config_map(NAMESPACE, label_selector="from=python")


def deployment():
    apps = client.AppsV1Api()
    wanted = client.V1Deployment(
        metadata=client.V1ObjectMeta(name="web"),
        spec=client.V1DeploymentSpec(
            replicas=2, selector=client.V1LabelSelector(match_labels={"app": "web"}), template=template("web")
        ),
    )
    apps.create_namespaced_deployment(NAMESPACE, wanted)
    eventually(
        "the deployment is available",
        lambda: apps.read_namespaced_deployment_status("web", NAMESPACE).status.available_replicas == 2,
    )
    apps.patch_namespaced_deployment_scale("web", NAMESPACE, {"spec": {"replicas": 3}})
    expect(apps.read_namespaced_deployment_scale("web", NAMESPACE).spec.replicas == 3, "scale")
    pods = client.CoreV1Api().list_namespaced_pod(NAMESPACE, field_selector="status.phase=Running").items
    expect(len(pods) >= 2 and all(pod.status.pod_ip for pod in pods), [pod.status.pod_ip for pod in pods])
    apps.delete_namespaced_deployment("web", NAMESPACE, propagation_policy="Foreground")


def errors():
    core = client.CoreV1Api()
    for code, call in {
        404: lambda: core.read_namespaced_pod("missing", NAMESPACE),
        422: lambda: core.create_namespaced_config_map(NAMESPACE, config_map("NOT A NAME")),
    }.items():
        try:
            call()
            raise AssertionError(f"no {code}")
        except ApiException as error:
            expect(error.status == code and '"kind":"Status"' in error.body.replace(" ", ""), error)


def dynamically():
    live = dynamic.DynamicClient(client.ApiClient())
    maps = live.resources.get(api_version="v1", kind="ConfigMap")
    body = {
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "dynamic", "namespace": NAMESPACE}, "data": {"a": "b"},
    }
    maps.server_side_apply(body=body, field_manager="python", name="dynamic", namespace=NAMESPACE)
    expect(maps.get(name="dynamic", namespace=NAMESPACE).data.a == "b", "applied")
    maps.delete(name="dynamic", namespace=NAMESPACE)


def custom():
    extensions = client.ApiextensionsV1Api()
    extensions.create_custom_resource_definition({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "snakes.python.example.com"},
        "spec": {
            "group": "python.example.com", "scope": "Namespaced", "names": {"plural": "snakes", "kind": "Snake"},
            "versions": [{
                "name": "v1", "served": True, "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }],
        },
    })
    try:
        objects = client.CustomObjectsApi()
        where = ("python.example.com", "v1", NAMESPACE, "snakes")

        def served():
            try:
                objects.list_namespaced_custom_object(*where)
                return True
            except ApiException:
                return False

        eventually("snakes are served", served)
        objects.create_namespaced_custom_object(
            *where,
            {"apiVersion": "python.example.com/v1", "kind": "Snake", "metadata": {"name": "one"}, "length": 3},
        )
        objects.patch_namespaced_custom_object(*where, "one", {"length": 4})
        expect(objects.get_namespaced_custom_object(*where, "one")["length"] == 4, "length")
    finally:
        extensions.delete_custom_resource_definition("snakes.python.example.com")


def from_dictionary():
    created = utils.create_from_dict(
        client.ApiClient(),
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick", "namespace": NAMESPACE},
         "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": {"spec": {
             "restartPolicy": "Never", "containers": [{"name": "main", "image": "example.test/app:1"}]}}}}}},
    )
    expect(created[0].metadata.uid, created)


def reviews():
    review = client.V1SelfSubjectAccessReview(
        spec=client.V1SelfSubjectAccessReviewSpec(
            resource_attributes=client.V1ResourceAttributes(namespace=NAMESPACE, verb="create", resource="pods")
        )
    )
    expect(client.AuthorizationV1Api().create_self_subject_access_review(review).status.allowed, "not allowed")


CHECKS = [
    ("typed client: create, replace, patch, read, list, delete", typed),
    ("watch from a resourceVersion", watching),
    ("pages and deletecollection", pages),
    ("a Deployment becomes available and scales", deployment),
    ("errors carry a Status", errors),
    ("dynamic client: discovery and server-side apply", dynamically),
    ("a CustomResourceDefinition and its objects", custom),
    ("create_from_dict", from_dictionary),
    ("reviews", reviews),
]


def main():
    config.load_kube_config(sys.argv[1])
    core = client.CoreV1Api()
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=NAMESPACE)))
    failed = False
    for name, run in CHECKS:
        try:
            run()
            print(f"ok\t{name}", flush=True)
        except Exception as error:  # pylint: disable=broad-exception-caught
            failed = True
            traceback.print_exc()
            print(f"FAIL\t{name}\t{str(error)[:500]!r}", flush=True)
    core.delete_namespace(NAMESPACE)
    sys.exit(1 if failed else 0)


main()
