//! Pod templates: pods made of them, and their hashes.

use crate::store::Stored;
use crate::tree::{Fields, Tree, tree};

/// The label by which a Deployment tells its ReplicaSets apart.
pub(crate) const POD_TEMPLATE_HASH: &str = "pod-template-hash";

/// A reference to the object that controls another.
pub(crate) fn controller_reference(owner: &Stored) -> Tree {
    let info = owner.meta.resource.info();
    tree!({
        "apiVersion": info.api_version(),
        "kind": info.kind,
        "name": owner.meta.name,
        "uid": owner.meta.uid,
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// A pod of a template, without a name.
pub(crate) fn pod(owner: &Stored, template: &Tree) -> Tree {
    let mut metadata = Fields::new();
    metadata.insert("generateName", format!("{}-", owner.meta.name).into());
    for key in ["labels", "annotations"] {
        if let Some(map) = template["metadata"][key].as_object().filter(|map| !map.is_empty()) {
            metadata.insert(key, Tree::Object(map.clone()));
        }
    }
    metadata.insert("ownerReferences", tree!([controller_reference(owner)]));
    tree!({"metadata": metadata, "spec": template["spec"]})
}

/// A template without the hash label: what two ReplicaSets of a Deployment are compared by.
pub(crate) fn bare(template: &Tree) -> Tree {
    let mut template = template.clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Tree::as_object_mut) {
        labels.remove(POD_TEMPLATE_HASH);
    }
    template
}

/// A short name of a template's content. FNV-1a over the text: equal templates have equal hashes. Kubernetes prints 32 bits as decimal
/// digits, and puts safe letters in their place.
pub(crate) fn hash(template: &Tree) -> String {
    const SAFE: &[u8; 10] = b"456789bcdf";
    let mut value = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bare(template).to_string().bytes() {
        value = (value ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let folded = u32::try_from((value ^ (value >> 32)) & 0xffff_ffff).unwrap_or_default();
    folded.to_string().bytes().map(|digit| char::from(SAFE[usize::from(digit - b'0')])).collect()
}

/// A number or a percentage (`25%`) of `total`.
pub(crate) fn share(value: &Tree, total: usize, round_up: bool, default: usize) -> usize {
    if let Some(number) = value.as_u64() {
        return usize::try_from(number).unwrap_or(usize::MAX);
    }
    let Some(percent) =
        value.as_str().and_then(|text| text.strip_suffix('%')).and_then(|text| text.parse::<usize>().ok())
    else {
        return default;
    };
    let product = total.saturating_mul(percent);
    if round_up { product.div_ceil(100) } else { product / 100 }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(tree!(2), 10, true, 2)]
    #[case(tree!("25%"), 3, true, 1)]
    #[case(tree!("25%"), 3, false, 0)]
    #[case(tree!("100%"), 3, false, 3)]
    #[case(Tree::Null, 3, false, 7)]
    fn shares(#[case] value: Tree, #[case] total: usize, #[case] round_up: bool, #[case] expected: usize) {
        assert_eq!(share(&value, total, round_up, 7), expected);
    }

    #[test]
    fn the_hash_label_does_not_change_the_hash() {
        let one = tree!({"metadata": {"labels": {"app": "a"}}, "spec": {"x": 1}});
        let labelled = tree!({"metadata": {"labels": {"app": "a", "pod-template-hash": "x"}}, "spec": {"x": 1}});
        let other = tree!({"metadata": {"labels": {"app": "a"}}, "spec": {"x": 2}});
        assert_eq!(hash(&one), hash(&labelled));
        assert_ne!(hash(&one), hash(&other));
        // Kubernetes writes a 32-bit number in decimals, digit by digit in letters without vowels.
        assert!((1..=10).contains(&hash(&one).len()));
    }
}
