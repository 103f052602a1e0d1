//! sigv2
