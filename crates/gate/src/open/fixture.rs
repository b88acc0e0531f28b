//! A model folder that the tests of this module open.

use std::fs;
use std::path::Path;

use nopickle_formats::archive::Compression;
use nopickle_formats::mlflow::MLMODEL;
use nopickle_formats::{Graph, Node, Role, skops};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::copy::hex;
use super::{Opened, What, open_folder};
use crate::error::Error;
use crate::policy::Policy;

/// A skops file with an object of `mine.Thing`.
pub(super) fn skops_file() -> Vec<u8> {
    let mut graph = Graph::new("schema.json");
    let class = graph.global("mine", "Thing").unwrap();
    let state = graph.link(&[]).unwrap();
    let node = graph.push(Node::Object(class, state), 0).unwrap();
    graph.refer(class, Role::Instance, node);
    graph.set_root(node);
    let mut bytes = Vec::new();
    skops::write(&graph, &[], Compression::Stored, &mut bytes).unwrap();
    bytes
}

/// A model folder of scikit-learn that asks for `mine.Thing` and brings code.
pub(super) struct Model(pub(super) TempDir);

impl Model {
    pub(super) fn new(file: &str, format: &str, data: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "flavors:\n  python_function:\n    code: code\n    loader_module: mlflow.sklearn\n    model_path: \
             {file}\n    python_version: 3.11.0\n  sklearn:\n    code: code\n    pickled_model: {file}\n    \
             serialization_format: {format}\n    sklearn_version: 1.9.1\n    skops_trusted_types:\n    - mine.Thing\n"
        );
        fs::write(folder.path().join(MLMODEL), text).unwrap();
        fs::write(folder.path().join(file), data).unwrap();
        fs::create_dir(folder.path().join("code")).unwrap();
        fs::write(folder.path().join("code/mine.py"), "class Thing: ...\n").unwrap();
        Self(folder)
    }

    pub(super) fn open(&self, policy: Policy) -> Result<Opened<'static>, Error> {
        open_folder(self.0.path(), &What::Flavor("sklearn"), policy)
    }

    pub(super) fn digest(&self, name: &str) -> String {
        hex(&Sha256::digest(fs::read(self.0.path().join(name)).unwrap()))
    }
}

pub(super) fn policy(text: &str) -> Policy {
    Policy::parse(text, Path::new("policy.toml")).unwrap()
}

pub(super) const GRANT: &str = "[[types]]\nname = \"mine.Thing\"\nrole = \"instance\"\n";

pub(super) fn said(result: Result<Opened<'_>, Error>) -> String {
    result.map(|_| ()).unwrap_err().to_string()
}
