//! ftime
