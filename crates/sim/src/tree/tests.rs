//! Trees behave as `serde_json`'s values do, and share.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Tree, tree};

fn sample() -> Value {
    json!({
        "b": [1, -2, 2.5, true, null, "text that is longer than fifteen bytes"],
        "a": {"x": {"deep": "y"}, "empty": {}, "none": []},
        "a/b": "~",
    })
}

#[test]
fn is_the_value_that_it_was_made_of() {
    let value = sample();
    let tree = Tree::from(value.clone());
    assert_eq!(Value::from(&tree), value);
    assert_eq!(tree.to_string(), value.to_string());
    assert_eq!(tree.pointer("/a/x/deep"), Some(&Tree::from("y")));
    assert_eq!(tree.pointer("/a~1b"), Some(&Tree::from("~")));
    assert_eq!(tree.pointer("/b/0"), Some(&Tree::from(1)));
    assert_eq!(tree["b"][5], "text that is longer than fifteen bytes");
    assert!(tree["no"]["such"][3].is_null());
}

#[test]
fn the_macro_makes_what_json_makes() {
    let (name, list, none) = (String::from("n"), vec!["p", "q"], None::<&str>);
    let made =
        tree!({"z": 1, "name": name, "list": list, "none": none, "in": {"deep": [1, {"k": "v"}, [], null]}, "t": true});
    let expected =
        json!({"z": 1, "name": name, "list": list, "none": none, "in": {"deep": [1, {"k": "v"}, [], null]}, "t": true});
    assert_eq!(Value::from(made), expected);
}

#[test]
fn a_change_leaves_clones_as_they_were_and_shares_the_rest() {
    let old = Tree::from(sample());
    let mut new = old.clone();
    new["a"]["x"]["deep"] = "z".into();
    new["c"]["made"] = 1.into();
    assert_eq!(Value::from(&old), sample());
    assert_eq!(new["a"]["x"]["deep"], "z");
    assert_eq!(new["c"]["made"], 1);
    assert!(new["b"].is_same(&old["b"]));
    assert!(!new["a"].is_same(&old["a"]));
    assert!(new["a"]["empty"] == old["a"]["empty"]);
}

#[test]
fn equal_parts_become_the_same() {
    let model = Tree::from(sample());
    let mut equal = Tree::from(sample());
    assert!(!equal.is_same(&model));
    assert!(equal.share(&model));
    assert!(equal.is_same(&model));
    let mut differs = Tree::from(sample());
    differs["b"][0] = 7.into();
    let before = differs.clone();
    assert!(!differs.share(&model));
    assert_eq!(differs, before);
    assert!(differs["a"].is_same(&model["a"]));
    let mut longer = Tree::from(json!({"b": [1, -2, 2.5, true, null, "text that is longer than fifteen bytes", 9]}));
    assert!(!longer.share(&model));
    assert_eq!(longer["b"][6], 9);
}

#[test]
fn views_read_what_they_name() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct View {
        a: BTreeMap<String, Value>,
        b: (u8, i64, f64, bool, Option<u8>, String),
        #[serde(default)]
        c: Option<String>,
    }
    let tree = Tree::from(sample());
    let from_text: View = serde_json::from_value(sample()).unwrap();
    assert_eq!(tree.read::<View>().unwrap(), from_text);
    assert!(tree["b"].read::<View>().is_err());
    assert!(tree["b"].read::<(u8, i64)>().is_err());
}

#[test]
fn of_two_equal_keys_the_last_counts() {
    let pairs = [("b", 1), ("a", 2), ("b", 3)];
    let tree: Tree = pairs.into_iter().collect();
    assert_eq!(tree.to_string(), r#"{"a":2,"b":3}"#);
    let mut changed = tree.clone();
    let fields = changed.as_object_mut().unwrap();
    assert_eq!(fields.insert("aa", 9.into()), None);
    assert_eq!(fields.remove("b"), Some(3.into()));
    assert_eq!(changed.to_string(), r#"{"a":2,"aa":9}"#);
}

#[test]
fn what_fits_has_the_same_content_and_leaves_shared_parts_alone() {
    let mut tree = Tree::from(serde_json::json!({"list": [1]}));
    let shared = tree["list"].clone();
    for key in ["a", "b", "c", "d", "e"] {
        tree["map"][key] = key.into();
    }
    let before = tree.clone();
    let mut tree = Tree::from(serde_json::Value::from(&tree));
    tree["list"] = shared.clone();
    tree["map"]["f"] = "f".into();
    tree["map"].as_object_mut().map(|map| map.remove("f"));
    tree.fit();
    assert_eq!(tree, before);
    assert!(tree["list"].is_same(&shared));
    let fields = tree["map"].as_object_mut().map(super::Fields::vec_mut);
    assert_eq!(fields.map(|fields| (fields.len(), fields.capacity())), Some((5, 5)));
}
