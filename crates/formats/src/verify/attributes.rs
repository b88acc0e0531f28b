//! What the verifiers of estimators ask of attributes.

use super::{ArrayView, Refusal, Value};
use crate::dtype::Kind;

/// The lengths of a C-ordered array of `N` dimensions whose elements are of this kind and size.
pub(super) fn dimensions<const N: usize>(
    value: Option<Value<'_>>,
    kind: Kind,
    itemsize: usize,
) -> Option<[usize; N]> {
    let array = value?.array()?;
    if !array.is(kind, itemsize) || (N > 1 && array.is_fortran()) {
        return None;
    }
    array.shape().try_into().ok()
}

/// The items of a `tuple`; those of a subclass may be read in another way.
pub(super) fn tuple(value: Value<'_>) -> Option<Vec<Value<'_>>> {
    if value.class() != Some("builtins.tuple") {
        return None;
    }
    value.items()
}

/// A length, as a count of elements.
pub(super) fn count(value: Option<Value<'_>>) -> Option<usize> {
    usize::try_from(value?.int()?).ok()
}

/// A string of Python or a numpy string scalar.
pub(super) fn string(value: Value<'_>) -> Option<String> {
    if let Some(text) = value.text() {
        return Some(text.to_owned());
    }
    let array = value.array()?;
    let dtype = array.dtype();
    if dtype.kind() != Kind::Unicode || !dtype.is_little() || !array.shape().is_empty() {
        return None;
    }
    array
        .bytes()
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| u32::from_le_bytes(*bytes))
        .take_while(|&letter| letter != 0)
        .map(char::from_u32)
        .collect()
}

/// Rows and columns of a CSR matrix or array of scipy, as an npz or (skops before 0.15) as an
/// object.
pub(super) fn csr_shape(value: Value<'_>) -> Option<(usize, usize)> {
    if !matches!(
        value.class(),
        Some("scipy.sparse._csr.csr_array" | "scipy.sparse._csr.csr_matrix")
    ) {
        return None;
    }
    if let Some(state) = value.state() {
        let shape = tuple(state.get("_shape")?)?;
        let &[rows, columns] = shape.as_slice() else {
            return None;
        };
        return Some((count(Some(rows))?, count(Some(columns))?));
    }
    if value.get("format")?.array()?.bytes() != b"csr" {
        return None;
    }
    let shape = value.get("shape")?.array()?;
    if shape.shape() != [2] {
        return None;
    }
    let side = |index| usize::try_from(shape.int_at(index)?).ok();
    Some((side(0)?, side(1)?))
}

/// Refuses an array of another class than `numpy.ndarray` among the attributes and arguments of an object.
///
/// skops calls the class with the array (`io/_numpy.py`, `NdArrayNode`), so a `numpy.matrix` has two dimensions whatever
/// the file says, and its length is not the one that a verifier sees. numpy scalars are held to their array elsewhere.
pub(super) fn refuse_other_arrays(object: Value<'_>) -> Result<(), Refusal> {
    if let Some(state) = object.state().filter(|state| state.is_construct()) {
        // It would be a dict to Python and no dict to the verifiers.
        return Err(state.refuse("the attributes of an estimator are not in a dict"));
    }
    for held in [object.state(), object.args()].into_iter().flatten() {
        // The keys of a dict are no arrays.
        for value in held.items_or_pairs() {
            let lengths = value.array().map(ArrayView::shape);
            if lengths.is_some_and(|lengths| !lengths.is_empty())
                && value.class() != Some("numpy.ndarray")
            {
                return Err(
                    value.refuse("an attribute is an array of another class than numpy.ndarray")
                );
            }
        }
    }
    Ok(())
}

/// Refuses a state that is not a plain `dict`, and in it an attribute with one of these names
/// (sorted): an attribute of an instance is found before a method or a constant of its class.
pub(super) fn refuse_names(estimator: Value<'_>, names: &[&str]) -> Result<(), Refusal> {
    let Some(state) = estimator.state() else {
        return Ok(());
    };
    if state.is_none() {
        return Ok(());
    }
    if state.class() != Some("builtins.dict") || state.is_construct() {
        return Err(state.refuse("the attributes of an estimator are not in a dict"));
    }
    // Most attributes have another first letter and length than every name.
    let bit = |name: &str| {
        let first = name.as_bytes().first().copied().unwrap_or(0);
        let length = u32::try_from(name.len()).unwrap_or(0);
        1_u64.rotate_left(u32::from(first).wrapping_mul(5).wrapping_add(length))
    };
    let bits = names.iter().fold(0, |bits, name| bits | bit(name));
    for (key, value) in state.pairs() {
        // scikit-learn itself leaves methods in some states, bound to the same object.
        let hides = |name: &str| {
            bits & bit(name) != 0
                && names.binary_search(&name).is_ok()
                && !value.is_method_of(estimator, name)
        };
        if key.text().is_none_or(hides) {
            return Err(
                key.refuse("an attribute has the name of a method or constant of its class")
            );
        }
    }
    Ok(())
}

/// Models as tests write them.
#[cfg(test)]
pub(super) mod given {
    use crate::dtype::DType;
    use crate::graph::{ArrayId, Graph, Node, NodeId};
    use crate::npy::Header;
    use crate::verify::{Arrays, Refusal, Value, Verify};

    /// One value of a model.
    #[derive(Clone)]
    pub(in crate::verify) enum Given {
        None,
        Bool(bool),
        Int(i64),
        Float(f64),
        Str(&'static str),
        Global(&'static str),
        Array(DType, Vec<usize>, Vec<u8>),
        ByteArray(Vec<u8>),
        Bytes(Vec<u8>),
        Tuple(Vec<Given>),
        Dict(Vec<(&'static str, Given)>),
        /// Class and state.
        Object(&'static str, Box<Given>),
        /// Class and arguments.
        Construct(&'static str, Box<Given>),
        /// Class and parts.
        Sparse(&'static str, Vec<(&'static str, Given)>),
        List(Vec<Given>),
        /// Shape and items, as in the file.
        Objects(Vec<i64>, Vec<Given>),
        /// Class, arguments and state.
        Built(&'static str, Vec<Given>, Box<Given>),
        /// An array of another class than `numpy.ndarray`.
        Other(&'static str, Box<Given>),
        /// Function and keyword arguments.
        Partial(&'static str, Vec<(&'static str, Given)>),
    }

    impl Given {
        /// 64-bit integers.
        pub(in crate::verify) fn longs(values: &[i64]) -> Self {
            let bytes = values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            Self::Array(DType::parse("<i8").unwrap(), vec![values.len()], bytes)
        }

        /// 32-bit integers.
        pub(in crate::verify) fn ints(values: &[i32]) -> Self {
            let bytes = values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            Self::Array(DType::parse("<i4").unwrap(), vec![values.len()], bytes)
        }

        /// 64-bit zeros.
        pub(in crate::verify) fn zeros(shape: &[usize]) -> Self {
            let count: usize = shape.iter().product();
            Self::Array(
                DType::parse("<f8").unwrap(),
                shape.to_vec(),
                vec![0; count.checked_mul(8).unwrap()],
            )
        }

        pub(in crate::verify) fn text(value: &str) -> Self {
            let bytes: Vec<u8> = value.bytes().collect();
            let dtype = DType::parse(&format!("|S{}", bytes.len())).unwrap();
            Self::Array(dtype, vec![], bytes)
        }

        /// The item of a tuple, or of the tuple that is an object's state.
        pub(in crate::verify) fn item(&mut self, index: usize) -> &mut Self {
            match self {
                Self::Tuple(items) => &mut items[index],
                Self::Object(_, state) => state.item(index),
                _ => panic!("not a tuple"),
            }
        }

        /// The items of a tuple, or of the tuple that is an object's state.
        pub(in crate::verify) fn items(&mut self) -> &mut Vec<Self> {
            match self {
                Self::Tuple(items) => items,
                Self::Object(_, state) => state.items(),
                _ => panic!("not a tuple"),
            }
        }

        /// Sets a key of a dict, or of the dict that is an object's state.
        pub(in crate::verify) fn set(&mut self, name: &'static str, value: Self) {
            self.remove(name);
            self.pairs().push((name, value));
        }

        /// Forgets a key.
        pub(in crate::verify) fn remove(&mut self, name: &str) {
            self.pairs().retain(|pair| pair.0 != name);
        }

        fn pairs(&mut self) -> &mut Vec<(&'static str, Self)> {
            match self {
                Self::Dict(pairs) | Self::Sparse(_, pairs) => pairs,
                Self::Object(_, state) | Self::Built(_, _, state) => state.pairs(),
                _ => panic!("not a dict"),
            }
        }

        /// What a verifier says to this value.
        pub(in crate::verify) fn refusal(&self, verify: Verify) -> Option<&'static str> {
            self.refused(|graph, arrays, root| verify(Value::new(graph, arrays, root)))
        }

        /// What a check says to the graph that this value is the root of.
        pub(in crate::verify) fn refused(
            &self,
            verify: impl Fn(&Graph, Arrays<'_>, NodeId) -> Result<(), Refusal>,
        ) -> Option<&'static str> {
            let mut building = Building::default();
            let root = building.add(self);
            let bytes: Vec<&[u8]> = building.bytes.iter().map(Vec::as_slice).collect();
            let arrays = Arrays {
                headers: &building.headers,
                bytes: &bytes,
                walked: &[],
                work: &crate::verify::Work::default(),
            };
            let refused = verify(&building.graph, arrays, root).err();
            refused.map(|refusal| refusal.what)
        }
    }

    #[derive(Default)]
    struct Building {
        graph: Graph,
        headers: Vec<Header>,
        bytes: Vec<Vec<u8>>,
    }

    impl Building {
        fn memory(&mut self, dtype: &DType, shape: Vec<usize>, bytes: &[u8]) -> ArrayId {
            self.headers.push(Header {
                dtype: std::sync::Arc::new(dtype.clone()),
                shape,
                fortran: false,
                data_offset: 0,
                data_bytes: bytes.len(),
            });
            self.bytes.push(bytes.to_vec());
            self.graph.push_memory_array().unwrap()
        }

        fn raw(&mut self, bytes: &[u8]) -> ArrayId {
            self.memory(&DType::parse("|u1").unwrap(), vec![bytes.len()], bytes)
        }

        fn add(&mut self, given: &Given) -> NodeId {
            let id = self.graph.push(Node::Pending, 0).unwrap();
            let node = match given {
                Given::None => Node::None,
                Given::Bool(value) => Node::Bool(*value),
                Given::Int(value) => Node::Int(*value),
                Given::Float(value) => Node::Float(*value),
                Given::Str(text) => Node::Str(self.graph.push_text(text).unwrap()),
                Given::Global(name) => Node::Global(self.class(name)),
                Given::Array(dtype, shape, bytes) => Node::Array(
                    self.class("numpy.ndarray"),
                    self.memory(dtype, shape.clone(), bytes),
                ),
                Given::ByteArray(bytes) => Node::ByteArray(self.raw(bytes)),
                Given::Bytes(bytes) => Node::Bytes(self.raw(bytes)),
                Given::Tuple(items) => {
                    let children: Vec<NodeId> = items.iter().map(|item| self.add(item)).collect();
                    Node::Tuple(
                        self.class("builtins.tuple"),
                        self.graph.link(&children).unwrap(),
                    )
                }
                Given::Dict(pairs) => {
                    let children = self.pairs(pairs);
                    Node::Dict(
                        self.class("builtins.dict"),
                        self.graph.link(&children).unwrap(),
                    )
                }
                Given::Sparse(class, pairs) => {
                    let children = self.pairs(pairs);
                    Node::Sparse(self.class(class), self.graph.link(&children).unwrap())
                }
                Given::Object(class, state) => {
                    let state = self.add(state);
                    Node::Object(self.class(class), self.graph.link(&[state]).unwrap())
                }
                Given::Construct(class, arguments) => {
                    let arguments = self.add(arguments);
                    Node::Construct(self.class(class), self.graph.link(&[arguments]).unwrap())
                }
                Given::List(items) => {
                    let children: Vec<NodeId> = items.iter().map(|item| self.add(item)).collect();
                    Node::List(
                        self.class("builtins.list"),
                        self.graph.link(&children).unwrap(),
                    )
                }
                Given::Objects(shape, items) => {
                    let shape =
                        Given::Tuple(shape.iter().map(|&length| Given::Int(length)).collect());
                    let mut children = vec![self.add(&shape)];
                    children.extend(items.iter().map(|item| self.add(item)));
                    Node::ObjectArray(
                        self.class("numpy.ndarray"),
                        self.graph.link(&children).unwrap(),
                    )
                }
                Given::Built(class, arguments, state) => {
                    let children = [self.add(&Given::Tuple(arguments.clone())), self.add(state)];
                    Node::Construct(self.class(class), self.graph.link(&children).unwrap())
                }
                Given::Other(class, array) => {
                    let array = self.add(array);
                    let array = self.graph.array_of(array).unwrap();
                    Node::Array(self.class(class), array)
                }
                Given::Partial(function, keywords) => {
                    let children = [
                        self.add(&Given::Global(function)),
                        self.add(&Given::Tuple(vec![])),
                        self.add(&Given::Dict(keywords.clone())),
                        self.add(&Given::Dict(vec![])),
                    ];
                    Node::Partial(
                        self.class("functools.partial"),
                        self.graph.link(&children).unwrap(),
                    )
                }
            };
            self.graph.set(id, node);
            id
        }

        fn pairs(&mut self, pairs: &[(&'static str, Given)]) -> Vec<NodeId> {
            let mut children = Vec::new();
            for (name, value) in pairs {
                children.push(self.add(&Given::Str(name)));
                children.push(self.add(value));
            }
            children
        }

        fn class(&mut self, name: &str) -> crate::graph::GlobalId {
            let (module, name) = name.rsplit_once('.').unwrap();
            self.graph.global(module, name).unwrap()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::given::Given;
    use super::*;

    #[test]
    fn arrays_of_other_classes_are_refused_and_scalars_are_not() {
        let object = |class, shape: &[usize]| {
            let array = Given::Other(class, Box::new(Given::zeros(shape)));
            let pairs = Given::Dict(vec![("_subcluster_norms", array.clone())]);
            let arguments = Given::Construct("a.B", Box::new(Given::Tuple(vec![array])));
            let refused = Given::Object("a.B", Box::new(pairs)).refusal(refuse_other_arrays);
            assert_eq!(arguments.refusal(refuse_other_arrays), refused);
            refused
        };
        assert_eq!(object("numpy.ndarray", &[3]), None);
        assert_eq!(object("numpy.float64", &[]), None);
        assert_eq!(
            object("numpy.matrix", &[3]),
            Some("an attribute is an array of another class than numpy.ndarray")
        );
    }
}
