//! The kinds of nodes that skops writes: one row each.

/// A kind of node, as `__loader__` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loader {
    Bytearray,
    Bytes,
    Cached,
    Constructor,
    DType,
    DefaultDict,
    Dict,
    Function,
    Json,
    List,
    Loss,
    MaskedArray,
    Method,
    NdArray,
    Object,
    OperatorFunc,
    Partial,
    QuantileForest,
    RandomGenerator,
    RandomState,
    Set,
    Slice,
    SparseMatrix,
    Tree,
    Tuple,
    Type,
}

/// What a part of a node's content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Node,
    Scalar,
    Text,
}

/// What stands under a node's `content`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Never,
    Node,
    NodeOrNull,
    Nodes,
    Dict,
    Parts(&'static [(&'static str, Part)]),
    Json,
}

/// The fields that a node object may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Class,
    Module,
    Loader,
    Id,
    Content,
    IsJson,
    KeyTypes,
    Type,
    File,
    Shape,
    Reduce,
    Attrs,
    Protocol,
    Version,
}

impl Field {
    /// The field's bit in a set of fields.
    pub(super) const fn bit(self) -> u32 {
        match self {
            Self::Class => 1,
            Self::Module => 1 << 1,
            Self::Loader => 1 << 2,
            Self::Id => 1 << 3,
            Self::Content => 1 << 4,
            Self::IsJson => 1 << 5,
            Self::KeyTypes => 1 << 6,
            Self::Type => 1 << 7,
            Self::File => 1 << 8,
            Self::Shape => 1 << 9,
            Self::Reduce => 1 << 10,
            Self::Attrs => 1 << 11,
            Self::Protocol => 1 << 12,
            Self::Version => 1 << 13,
        }
    }

    pub(super) fn parse(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"__class__" => Self::Class,
            b"__module__" => Self::Module,
            b"__loader__" => Self::Loader,
            b"__id__" => Self::Id,
            b"content" => Self::Content,
            b"is_json" => Self::IsJson,
            b"key_types" => Self::KeyTypes,
            b"type" => Self::Type,
            b"file" => Self::File,
            b"shape" => Self::Shape,
            b"__reduce__" => Self::Reduce,
            b"attrs" => Self::Attrs,
            b"protocol" => Self::Protocol,
            b"_skops_version" => Self::Version,
            _ => return None,
        })
    }
}

/// The fields that every node may have; the root has two more.
pub(super) const COMMON: u32 =
    Field::Class.bit() | Field::Module.bit() | Field::Loader.bit() | Field::Id.bit();

/// One row: name, kind, what its content is, the fields that it may have beside [`COMMON`].
pub(super) type Row = (&'static str, Loader, Content, u32);

const CONTENT: u32 = Field::Content.bit();
const PAIR: &[(&str, Part)] = &[("main", Part::Node), ("default_factory", Part::Node)];

/// Every kind of node, sorted by name (`skops/io/_general.py`, `_numpy.py`, `_scipy.py`,
/// `_sklearn.py`, `_quantile_forest.py` and `old/` of skops 0.16.0).
const LOADERS: &[Row] = &[
    (
        "BytearrayNode",
        Loader::Bytearray,
        Content::Never,
        Field::File.bit(),
    ),
    (
        "BytesNode",
        Loader::Bytes,
        Content::Never,
        Field::File.bit(),
    ),
    ("CachedNode", Loader::Cached, Content::Never, 0),
    (
        "ConstructorFromReduceNode",
        Loader::Constructor,
        Content::Node,
        CONTENT,
    ),
    ("DTypeNode", Loader::DType, Content::Node, CONTENT),
    (
        "DefaultDictNode",
        Loader::DefaultDict,
        Content::Parts(PAIR),
        CONTENT,
    ),
    (
        "DictNode",
        Loader::Dict,
        Content::Dict,
        CONTENT | Field::KeyTypes.bit(),
    ),
    (
        "FunctionNode",
        Loader::Function,
        Content::Parts(&[("module_path", Part::Text), ("function", Part::Text)]),
        CONTENT,
    ),
    (
        "JsonNode",
        Loader::Json,
        Content::Json,
        CONTENT | Field::IsJson.bit(),
    ),
    ("ListNode", Loader::List, Content::Nodes, CONTENT),
    (
        "LossNode",
        Loader::Loss,
        Content::Node,
        CONTENT | Field::Reduce.bit(),
    ),
    (
        "MaskedArrayNode",
        Loader::MaskedArray,
        Content::Parts(&[("data", Part::Node), ("mask", Part::Node)]),
        CONTENT,
    ),
    (
        "MethodNode",
        Loader::Method,
        Content::Parts(&[("func", Part::Text), ("obj", Part::Node)]),
        CONTENT,
    ),
    (
        "NdArrayNode",
        Loader::NdArray,
        Content::Nodes,
        CONTENT | Field::Type.bit() | Field::File.bit() | Field::Shape.bit(),
    ),
    ("ObjectNode", Loader::Object, Content::NodeOrNull, CONTENT),
    (
        "OperatorFuncNode",
        Loader::OperatorFunc,
        Content::Never,
        Field::Attrs.bit(),
    ),
    (
        "PartialNode",
        Loader::Partial,
        Content::Parts(&[
            ("func", Part::Node),
            ("args", Part::Node),
            ("kwds", Part::Node),
            ("namespace", Part::Node),
        ]),
        CONTENT,
    ),
    (
        "QuantileForestNode",
        Loader::QuantileForest,
        Content::Node,
        CONTENT | Field::Reduce.bit(),
    ),
    (
        "RandomGeneratorNode",
        Loader::RandomGenerator,
        Content::Parts(&[("bit_generator", Part::Node), ("seed_seq", Part::Node)]),
        CONTENT,
    ),
    (
        "RandomStateNode",
        Loader::RandomState,
        Content::Node,
        CONTENT,
    ),
    // skops 0.9 and 0.10 called the losses of SGD so.
    (
        "SGDNode",
        Loader::Loss,
        Content::Node,
        CONTENT | Field::Reduce.bit(),
    ),
    ("SetNode", Loader::Set, Content::Nodes, CONTENT),
    (
        "SliceNode",
        Loader::Slice,
        Content::Parts(&[
            ("start", Part::Scalar),
            ("stop", Part::Scalar),
            ("step", Part::Scalar),
        ]),
        CONTENT,
    ),
    (
        "SparseMatrixNode",
        Loader::SparseMatrix,
        Content::Never,
        Field::Type.bit() | Field::File.bit(),
    ),
    (
        "TreeNode",
        Loader::Tree,
        Content::Node,
        CONTENT | Field::Reduce.bit(),
    ),
    ("TupleNode", Loader::Tuple, Content::Nodes, CONTENT),
    ("TypeNode", Loader::Type, Content::Never, 0),
];

/// The row of a kind of node.
pub(super) fn loader(name: &[u8]) -> Option<&'static Row> {
    let row = LOADERS
        .binary_search_by(|row| row.0.as_bytes().cmp(name))
        .ok()?;
    LOADERS.get(row)
}

/// The names of all node kinds, sorted.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    LOADERS.iter().map(|row| row.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_unique() {
        assert!(LOADERS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
