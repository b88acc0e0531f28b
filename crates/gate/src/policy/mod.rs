//! Policy files: what whoever loads has decided, in TOML.
