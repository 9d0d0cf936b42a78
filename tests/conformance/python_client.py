"""Drives the client of Kubernetes for Python against a server; prints one JSON object with what it saw."""
import json
import sys
import threading

from kubernetes import client, config, dynamic, watch
from kubernetes.client.rest import ApiException

config.load_kube_config(config_file=sys.argv[1])
api = client.ApiClient()
core = client.CoreV1Api(api)
custom = client.CustomObjectsApi(api)
found = {}
GROUP = ("stock.example", "v1")
WIDGETS = (*GROUP, "default", "widgets")


def code_of(call):
    try:
        call()
        return None
    except ApiException as error:
        return [error.status, json.loads(error.body)["reason"]]


def config_map(name, **data):
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels={"app": "py"}), data=data)


# Typed objects of the core group.
made = core.create_namespaced_config_map("default", config_map("a", one="1"))
found["created"] = [made.metadata.generation, made.data]
core.create_namespaced_config_map("default", config_map("b", one="1"))
listed = core.list_namespaced_config_map("default", label_selector="app=py", limit=1)
rest = core.list_namespaced_config_map("default", label_selector="app=py", limit=1, _continue=listed.metadata._continue)
found["pages"] = [item.metadata.name for page in (listed, rest) for item in page.items]
found["strategic"] = core.patch_namespaced_config_map("a", "default", {"data": {"two": "2"}}).data
stale = core.read_namespaced_config_map("a", "default")
core.patch_namespaced_config_map("a", "default", {"data": {"three": "3"}})
found["codes"] = {
    "missing": code_of(lambda: core.read_namespaced_config_map("none", "default")),
    "exists": code_of(lambda: core.create_namespaced_config_map("default", config_map("a"))),
    "stale": code_of(lambda: core.replace_namespaced_config_map("a", "default", stale)),
    "invalid": code_of(lambda: core.create_namespaced_config_map("default", config_map("Not_A_Name"))),
    "selector": code_of(lambda: core.list_namespaced_config_map("default", label_selector="((")),
}

# A watch, from the version of a list.
seen = []
start = core.list_namespaced_config_map("default").metadata.resource_version


def change():
    core.create_namespaced_config_map("default", config_map("watched"))
    core.patch_namespaced_config_map("watched", "default", {"data": {"x": "1"}})
    core.delete_namespaced_config_map("watched", "default")


writer = threading.Timer(0.2, change)
writer.start()
stream = watch.Watch()
for event in stream.stream(core.list_namespaced_config_map, "default", resource_version=start, timeout_seconds=30):
    seen.append([event["type"], event["object"].metadata.name])
    if event["type"] == "DELETED":
        stream.stop()
writer.join()
found["watch"] = seen

# Kinds that users define.
found["custom"] = custom.create_namespaced_custom_object(
    *WIDGETS, {"apiVersion": "/".join(GROUP), "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}}
)["spec"]
found["merge"] = custom.patch_namespaced_custom_object(*WIDGETS, "w", {"spec": {"size": 2}})["spec"]
found["status"] = custom.patch_namespaced_custom_object_status(*WIDGETS, "w", {"status": {"ready": True}})["status"]
found["wrong"] = code_of(lambda: custom.patch_namespaced_custom_object(*WIDGETS, "w", {"spec": {"size": "x"}}))
found["objects"] = len(custom.list_cluster_custom_object(*GROUP, "widgets")["items"])
custom.delete_namespaced_custom_object(*WIDGETS, "w", body=client.V1DeleteOptions())

# Discovery, and whatever it finds.
dyn = dynamic.DynamicClient(api)
maps = dyn.resources.get(api_version="v1", kind="ConfigMap")
plans = dyn.resources.get(api_version="products.backline.dev/v1", kind="Plan")
found["dynamic"] = [maps.namespaced, plans.name, len(maps.get(namespace="default", label_selector="app=py").items)]
body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"x": "1"}}
if hasattr(dyn, "server_side_apply"):
    def apply(value, manager, **more):
        # This client writes only bodies of JSON types itself.
        wanted = json.dumps({**body, "data": {"x": value}})
        return maps.server_side_apply(body=wanted, namespace="default", name="applied", field_manager=manager, **more)

    found["applied"] = apply("1", "one").metadata.managedFields[0].operation
    try:
        apply("2", "two")
    except ApiException as error:
        found["conflict"] = [error.status, json.loads(error.body)["details"]["causes"][0]["field"]]
    found["forced"] = apply("2", "two", force_conflicts=True).data.x
maps.delete(name="a", namespace="default")

# Deletion in the foreground waits for what the object owns.
owner = core.create_namespaced_config_map("default", config_map("owner"))
reference = client.V1OwnerReference(
    api_version="v1", kind="ConfigMap", name="owner", uid=owner.metadata.uid, block_owner_deletion=True
)
owned = config_map("owned")
owned.metadata.owner_references = [reference]
core.create_namespaced_config_map("default", owned)
# Both may be gone before a watch from now on would begin.
version = core.list_namespaced_config_map("default", label_selector="app=py").metadata.resource_version
core.delete_namespaced_config_map("owner", "default", propagation_policy="Foreground")
deleted = []
stream = watch.Watch()
for event in stream.stream(
    core.list_namespaced_config_map,
    "default",
    label_selector="app=py",
    resource_version=version,
    timeout_seconds=60,
):
    name = event["object"].metadata.name
    if event["type"] == "DELETED" and name.startswith("own"):
        deleted.append(name)
    if "owner" in deleted:
        stream.stop()
found["deleted"] = deleted
found["access"] = client.AuthorizationV1Api(api).create_self_subject_access_review(
    client.V1SelfSubjectAccessReview(
        spec=client.V1SelfSubjectAccessReviewSpec(
            resource_attributes=client.V1ResourceAttributes(verb="create", resource="configmaps", namespace="default")
        )
    )
).status.allowed
found["version"] = client.VersionApi(api).get_code().major
print(json.dumps(found))
