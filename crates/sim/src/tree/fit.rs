//! Giving back what lists and fields have reserved and do not use.

use ecow::EcoVec;

use super::Tree;

impl Tree {
    /// Makes every part that nothing else holds as small as its content: a list that grows doubles its room, and a stored version is not
    /// going to grow.
    pub(crate) fn fit(&mut self) {
        match self {
            Tree::Object(fields) => fitted(fields.vec_mut()).iter_mut().for_each(|(_, value)| value.fit()),
            Tree::Array(list) => fitted(list.vec_mut()).iter_mut().for_each(Tree::fit),
            _ => {}
        }
    }
}

/// The items, without room for more; none where somebody else holds them as well.
fn fitted<T: Clone>(list: &mut EcoVec<T>) -> &mut [T] {
    if !list.is_unique() {
        return &mut [];
    }
    if list.capacity() > list.len() {
        let mut exact = EcoVec::with_capacity(list.len());
        exact.extend(std::mem::take(list));
        *list = exact;
    }
    list.make_mut()
}
