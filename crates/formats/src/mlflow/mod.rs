//! MLflow's model folders: `MLmodel`, the environment files, and where each flavor keeps its model.
//!
//! Source: `mlflow/models/model.py`, `mlflow/utils/environment.py` and the flavors of MLflow 2.22.0 and 3.17.2. The rules
//! are those of `docs/formats/mlmodel.md`.

mod environment;
mod files;
mod flavors;
mod json;
mod mlmodel;
mod requirements;
mod signature;
pub mod yaml;

pub use environment::{Environment, conda_yaml, python_env_yaml, requirements_txt};
pub use files::Beside;
pub use flavors::{FLAVORS, Payload};
pub use mlmodel::{MLMODEL, MlModel};
pub use requirements::{Requirement, requirement, requirements};
pub use signature::{ColSpec, DataType, ParamSpec, Schema, Signature, TensorSpec, Type};
