//! The resolver on real stacks, of this program.
