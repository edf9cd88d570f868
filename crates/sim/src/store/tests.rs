use serde_json::{Value, json};

use super::*;

fn store() -> Store {
    let clock = Clock::new(|| "2026-01-02T03:04:05Z".parse().unwrap());
    let store = Store::new(StoreConfig::new(1, clock));
    store.create(Resource::Namespace, "", json!({"metadata": {"name": "default"}}), &WriteOptions::default()).unwrap();
    store
}

fn make(store: &Store, resource: Resource, object: Value) -> Stored {
    let namespace = if resource.info().namespaced { "default" } else { "" };
    store.create(resource, namespace, object, &WriteOptions::default()).unwrap()
}

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "alpine:3.22"}]}})
}

#[test]
fn a_namespace_is_furnished_and_goes_with_its_content() {
    let store = store();
    assert!(store.find(Resource::ServiceAccount, "default", "default").is_some());
    make(&store, Resource::ConfigMap, json!({"metadata": {"name": "c"}}));
    let mut seen = store.subscribe(Resource::Namespace);
    let deleted = store.delete(Resource::Namespace, "", "default", &DeleteOptions::default()).unwrap();
    assert_eq!(deleted.object().value()["status"]["phase"], "Terminating");
    assert_eq!((store.count(Resource::ConfigMap), store.count(Resource::Namespace)), (0, 0));
    let kinds: Vec<ChangeKind> = std::iter::from_fn(|| seen.try_next()).map(|c| c.kind).collect();
    assert_eq!(kinds, [ChangeKind::Added, ChangeKind::Modified, ChangeKind::Modified, ChangeKind::Deleted]);
}

#[test]
fn a_pod_has_grace_until_its_kubelet_ends_it() {
    let store = store();
    make(&store, Resource::Pod, pod("a"));
    store.mutate(Resource::Pod, "default", "a", |p| p["spec"]["nodeName"] = "n".into()).unwrap();
    let marked = store.delete(Resource::Pod, "default", "a", &DeleteOptions::default()).unwrap();
    assert!(matches!(marked, Deleted::Pending(_)));
    assert_eq!(marked.object().value()["metadata"]["deletionTimestamp"], "2026-01-02T03:04:35Z");
    assert!(matches!(store.finish_delete(Resource::Pod, "default", "a").unwrap(), Deleted::Gone(_)));
    assert_eq!(store.get(Resource::Pod, "default", "a").unwrap_err().message, "pods \"a\" not found");
}

#[test]
fn dependents_follow_their_owner_and_can_hold_it() {
    let store = store();
    let owner = make(&store, Resource::ConfigMap, json!({"metadata": {"name": "owner"}}));
    let reference = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.meta.uid, "blockOwnerDeletion": true}]);
    let child = json!({"metadata": {"name": "child", "ownerReferences": reference, "finalizers": ["e2e.test/hold"]}});
    make(&store, Resource::ConfigMap, child);
    let options = DeleteOptions { propagation: Some(Propagation::Foreground), ..DeleteOptions::default() };
    assert!(matches!(store.delete(Resource::ConfigMap, "default", "owner", &options).unwrap(), Deleted::Pending(_)));
    assert!(store.find(Resource::ConfigMap, "default", "owner").is_some());
    store
        .mutate(Resource::ConfigMap, "default", "child", |c| {
            c["metadata"]["finalizers"].as_array_mut().unwrap().retain(|f| f != "e2e.test/hold");
        })
        .unwrap();
    assert!(store.find(Resource::ConfigMap, "default", "child").is_none());
    assert!(store.find(Resource::ConfigMap, "default", "owner").is_none());
}

#[test]
fn an_orphan_stays_and_loses_its_reference() {
    let store = store();
    let owner = make(&store, Resource::ConfigMap, json!({"metadata": {"name": "owner"}}));
    let reference = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.meta.uid}]);
    make(&store, Resource::ConfigMap, json!({"metadata": {"name": "child", "ownerReferences": reference}}));
    let options = DeleteOptions { propagation: Some(Propagation::Orphan), ..DeleteOptions::default() };
    store.delete(Resource::ConfigMap, "default", "owner", &options).unwrap();
    assert!(store.find(Resource::ConfigMap, "default", "owner").is_none());
    assert!(store.get(Resource::ConfigMap, "default", "child").unwrap().meta.owners.is_empty());
}

#[test]
fn stale_writes_conflict_and_equal_ones_write_nothing() {
    let store = store();
    let first = make(&store, Resource::ConfigMap, json!({"metadata": {"name": "c"}, "data": {"a": "1"}}));
    let mut value = first.value();
    value["data"]["a"] = "2".into();
    let second = store.update(Resource::ConfigMap, "default", "c", value.clone(), &WriteOptions::default()).unwrap();
    let stale = store.update(Resource::ConfigMap, "default", "c", value, &WriteOptions::default()).unwrap_err();
    assert_eq!((stale.code, stale.reason), (409, "Conflict"));
    let same = store.update(Resource::ConfigMap, "default", "c", second.value(), &WriteOptions::default()).unwrap();
    assert_eq!(same.meta.resource_version, second.meta.resource_version);
}

#[test]
fn compaction_makes_old_watches_expire() {
    let store = store();
    let before = store.revision();
    make(&store, Resource::ConfigMap, json!({"metadata": {"name": "c"}}));
    assert!(store.watch_since(Resource::ConfigMap, before).unwrap().try_next().is_some());
    store.compact(Resource::ConfigMap);
    let gone = store.watch_since(Resource::ConfigMap, before).unwrap_err();
    assert_eq!((gone.code, gone.reason), (410, "Expired"));
}

#[test]
fn no_two_generated_names_are_the_same() {
    let store = store();
    for count in 0..20_000 {
        let config = json!({"metadata": {"generateName": "x-"}});
        let made = store.create(Resource::ConfigMap, "default", config, &WriteOptions::default());
        assert!(made.is_ok(), "{count}: {made:?}");
    }
}
