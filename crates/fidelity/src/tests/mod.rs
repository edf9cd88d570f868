//! Small streams by hand.
