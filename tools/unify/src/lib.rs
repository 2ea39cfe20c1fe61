//! Nothing to call: the manifest is all there is.
