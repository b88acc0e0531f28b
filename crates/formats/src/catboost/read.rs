//! The parts of a file, one after the other.

use super::flat::{Buffer, Schema};
use super::{Model, Refused, ctr, features, info, trees};

const MAGIC: &[u8; 4] = b"CBM1";

/// The one format of the core, as CatBoost spells it.
const FORMAT: &str = "FlabuffersModel_v1";

/// The part with the tables of CTR features.
const TABLES: &str = "static_provider_v1";

const CORE: Schema = Schema {
    name: "TModelCore",
    fields: &[4, 4, 4, 4],
    shared: false,
};
const TREES: Schema = Schema {
    name: "TModelTrees",
    fields: &[4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 8, 8, 4, 4, 4],
    shared: false,
};

/// Kinds of features that are computed from texts and embeddings, and where `TModelTrees` has them.
const OTHER_FEATURES: &[(usize, &str)] = &[(12, "text"), (13, "estimated"), (18, "embedding")];

pub(super) fn model(bytes: &[u8]) -> Result<Model<'_>, Refused> {
    let behind = bytes
        .strip_prefix(MAGIC)
        .ok_or_else(|| Refused::malformed(0, "the file does not start with CBM1"))?;
    let short = || Refused::malformed(4, "a part of the model ends before it should");
    let (size, behind) = behind.split_first_chunk().ok_or_else(short)?;
    let size = usize::try_from(u32::from_le_bytes(*size)).map_err(|_| short())?;
    let (core, parts) = behind.split_at_checked(size).ok_or_else(short)?;

    let mut buffer = Buffer::new(core, 8);
    let root = buffer.root(&CORE)?;
    let format = buffer.text(&root, 0)?;
    if format.is_none_or(|format| format.text != FORMAT) {
        let name = format.map_or("", |format| format.text);
        return Err(buffer.unsupported(root.at(), "format of a CatBoost model", name));
    }
    let Some(table) = buffer.table(&root, 1, &TREES)? else {
        return Err(buffer.malformed(root.at(), "the model has no trees"));
    };
    for (field, kind) in OTHER_FEATURES {
        if !buffer.vector(&table, *field, 4)?.1.is_empty() {
            return Err(buffer.unsupported(table.at(), "features of a CatBoost model", kind));
        }
    }
    let features = features::read(&mut buffer, &table)?;
    let trees = trees::read(&mut buffer, &table, &features)?;
    let loss = info::read(&mut buffer, &root, trees.dimension)?;

    let mut at = size.saturating_add(8);
    let mut behind = parts;
    let mut has_tables = false;
    for part in buffer.texts(&root, 3)? {
        if part.text != TABLES || has_tables {
            let what = "part of a CatBoost model";
            return Err(buffer.unsupported(part.at, what, part.text));
        }
        has_tables = true;
        let length = ctr::tables(behind, at, &features)?;
        behind = behind.get(length..).unwrap_or_default();
        at = at.saturating_add(length);
    }
    if let Some((.., at)) = features.ctrs.first().filter(|_| !has_tables) {
        return Err(Refused::unverified(*at, ctr::MISSING));
    }
    if !behind.is_empty() {
        let what = "the file goes on after its last part";
        return Err(Refused::malformed(at, what));
    }
    buffer.finish()?;
    Ok(Model {
        bytes,
        dimension: trees.dimension,
        num_trees: trees.count,
        num_features: features.columns,
        feature_names: features.names,
        loss,
    })
}
