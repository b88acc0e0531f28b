//! The hot path of `nopickle.guard`: an audit hook that lets every event pass but the few that unpicklers raise.

use std::sync::OnceLock;

use nopickle_formats::Role;
use nopickle_gate::policy::{self, Rule};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::errors::raise_gate;
use crate::policy::PyPolicy;

/// What any unpickler may resolve: module and name, sorted.
///
/// A pickle may call what it resolves with any arguments (`REDUCE`, `NEWOBJ`), give the result any state (`BUILD`), and
/// set attributes on the name itself (`BUILD` again). So only types and functions of C stand here that can't be
/// changed, that keep or convert what they are given, and whose state no native code follows. `__builtin__` is how
/// protocols 0 to 2 write `builtins`.
const PLAIN: &[(&str, &str)] = &[
    ("__builtin__", "bytearray"),
    ("__builtin__", "complex"),
    ("__builtin__", "dict"),
    ("__builtin__", "float"),
    ("__builtin__", "frozenset"),
    ("__builtin__", "int"),
    ("__builtin__", "list"),
    ("__builtin__", "set"),
    ("__builtin__", "tuple"),
    ("_codecs", "encode"),
    ("builtins", "bool"),
    ("builtins", "bytearray"),
    ("builtins", "bytes"),
    ("builtins", "complex"),
    ("builtins", "dict"),
    ("builtins", "float"),
    ("builtins", "frozenset"),
    ("builtins", "int"),
    ("builtins", "list"),
    ("builtins", "set"),
    ("builtins", "str"),
    ("builtins", "tuple"),
    ("collections", "OrderedDict"),
    ("collections", "defaultdict"),
    ("collections", "deque"),
    ("datetime", "date"),
    ("datetime", "datetime"),
    ("datetime", "time"),
    ("datetime", "timedelta"),
    ("datetime", "timezone"),
    ("decimal", "Decimal"),
];

/// What decides on an event: `nopickle.guard._decide`.
static DECIDE: OnceLock<Py<PyAny>> = OnceLock::new();

/// The names that any unpickler may resolve, as pairs of module and name, sorted.
#[pyfunction]
pub(crate) fn guard_plain() -> Vec<(&'static str, &'static str)> {
    PLAIN.to_vec()
}

/// Adds the audit hook, which asks `decide(event, arguments)` about what the table does not answer. It can't be
/// removed; a second call is an error.
#[pyfunction]
pub(crate) fn guard_install(py: Python<'_>, decide: Py<PyAny>) -> PyResult<()> {
    if DECIDE.set(decide).is_err() {
        return Err(PyRuntimeError::new_err("the guard is installed already"));
    }
    let hook = wrap_pyfunction!(hook, py)?;
    py.import("sys")?.call_method1("addaudithook", (hook,))?;
    Ok(())
}

/// The audit hook. It returns at once for all events but those of unpicklers, of `marshal`, and of starting a
/// program or loading a library.
#[pyfunction]
fn hook(event: &Bound<'_, PyString>, arguments: &Bound<'_, PyTuple>) -> PyResult<()> {
    match event.to_str()? {
        "pickle.find_class" if is_plain(arguments)? => Ok(()),
        "pickle.find_class" | "marshal.load" | "marshal.loads" | "ctypes.dlopen" | "os.exec"
        | "os.posix_spawn" | "os.spawn" | "os.system" | "pty.spawn" | "subprocess.Popen" => {
            match DECIDE.get() {
                Some(decide) => decide
                    .bind(event.py())
                    .call1((event, arguments))
                    .map(|_answer| ()),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Whether the arguments of `pickle.find_class` are a row of the table.
fn is_plain(arguments: &Bound<'_, PyTuple>) -> PyResult<bool> {
    let module = arguments.get_item(0)?;
    let name = arguments.get_item(1)?;
    // Only exact strings: what a subclass says when it is asked again may differ.
    let (Ok(module), Ok(name)) = (
        module.cast_exact::<PyString>(),
        name.cast_exact::<PyString>(),
    ) else {
        return Ok(false);
    };
    // A lone surrogate stands in no row.
    let (Ok(module), Ok(name)) = (module.to_str(), name.to_str()) else {
        return Ok(false);
    };
    Ok(PLAIN.binary_search(&(module, name)).is_ok())
}

/// Whether the policy grants a name to an unpickler: an entry of a file for the role `call`, or the environment. The
/// default list does not count, since what is harmless in a graph may be harmful with a pickle's arguments.
#[pyfunction]
pub(crate) fn guard_granted(policy: &Bound<'_, PyPolicy>, name: &str) -> bool {
    let policy = &policy.get().0;
    let of_file = policy.names().iter().any(|entry| {
        let enough = entry.what.role.is_none_or(|role| role == Role::Call);
        entry.what.name == name && enough && !entry.expired(policy.today())
    });
    of_file || matches!(policy.rule(name, Role::Call), Rule::Environment)
}

/// Why pickles are refused now, in words: the switch, as it is at this moment, or the policy; `None` where they are not.
#[pyfunction]
pub(crate) fn guard_refused_by(
    py: Python<'_>,
    policy: &Bound<'_, PyPolicy>,
) -> PyResult<Option<String>> {
    let switch = policy::switch_of_environment().map_err(|error| raise_gate(py, error, ""))?;
    Ok(policy
        .get()
        .0
        .clone()
        .with_switch(switch)
        .pickle_refused_by())
}
