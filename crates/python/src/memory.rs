//! Memory that Python will own, filled by Rust.

use std::sync::Arc;

use nopickle_formats::npy::Header;
use nopickle_formats::{DType, Field};
use numpy::npyffi::{self, PY_ARRAY_API};
use pyo3::exceptions::PyMemoryError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

/// The bytes of one array, in the memory of the Python object that will hold them.
pub(crate) struct Memory {
    object: Py<PyAny>,
    start: *mut u8,
    length: usize,
}

// SAFETY: the object was made by `Allocator` and no other code has seen it yet, so nobody else reads
// or writes its bytes until `into_object` hands it over, which takes the interpreter.
#[expect(
    unsafe_code,
    reason = "arrays are filled while the interpreter is detached"
)]
unsafe impl Send for Memory {}
#[expect(
    unsafe_code,
    reason = "arrays are verified while the interpreter is detached"
)]
unsafe impl Sync for Memory {}

impl AsRef<[u8]> for Memory {
    #[expect(unsafe_code, reason = "the memory belongs to a Python object")]
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `start` points to `length` bytes that live as long as `object` (see `Allocator`).
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

impl AsMut<[u8]> for Memory {
    #[expect(unsafe_code, reason = "the memory belongs to a Python object")]
    fn as_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_ref`; nobody else has the object.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.length) }
    }
}

impl Memory {
    /// The object, its bytes filled.
    pub(crate) fn into_object(self, py: Python<'_>) -> Bound<'_, PyAny> {
        self.object.into_bound(py)
    }
}

/// Makes the Python objects whose memory Rust fills.
pub(crate) struct Allocator<'py> {
    py: Python<'py>,
    dtype_class: Option<Bound<'py, PyAny>>,
    dtypes: Vec<(Arc<DType>, Bound<'py, PyAny>)>,
}

impl<'py> Allocator<'py> {
    pub(crate) fn new(py: Python<'py>) -> Self {
        Self {
            py,
            dtype_class: None,
            dtypes: Vec::new(),
        }
    }

    /// The numpy dtype, made once for each dtype of a load.
    fn dtype(&mut self, dtype: &Arc<DType>) -> PyResult<Bound<'py, PyAny>> {
        if let Some((_, known)) = self
            .dtypes
            .iter()
            .find(|known| Arc::ptr_eq(&known.0, dtype))
        {
            return Ok(known.clone());
        }
        let made = if dtype.fields().is_empty() && !dtype.text().is_empty() {
            let class = match &self.dtype_class {
                Some(class) => class,
                None => self
                    .dtype_class
                    .insert(self.py.import("numpy")?.getattr("dtype")?),
            };
            class.call1((dtype.text(),))?
        } else {
            let descr = description(self.py, dtype)?;
            let format = self.py.import("numpy.lib.format")?;
            format.getattr("descr_to_dtype")?.call1((descr,))?
        };
        self.dtypes.push((Arc::clone(dtype), made.clone()));
        Ok(made)
    }

    /// A numpy array with this header, its elements not yet set.
    #[expect(unsafe_code, reason = "numpy's C API makes the array")]
    pub(crate) fn array(&mut self, header: &Header) -> PyResult<Memory> {
        let dtype = self.dtype(&header.dtype)?;
        let mut shape: Vec<npyffi::npy_intp> = Vec::with_capacity(header.shape.len());
        for &length in &header.shape {
            shape.push(
                npyffi::npy_intp::try_from(length)
                    .map_err(|_| PyMemoryError::new_err("array too large"))?,
            );
        }
        let dimensions =
            i32::try_from(shape.len()).map_err(|_| PyMemoryError::new_err("array too large"))?;
        let fortran = i32::from(header.fortran);
        // SAFETY: the reference to the dtype is given away as the call takes it; shape has `dimensions`
        // entries; no data pointer, so numpy allocates.
        let object = unsafe {
            let pointer = PY_ARRAY_API.PyArray_NewFromDescr(
                self.py,
                npyffi::get_type_object(self.py, npyffi::NpyTypes::PyArray_Type),
                dtype.into_ptr().cast(),
                dimensions,
                shape.as_mut_ptr(),
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                fortran,
                std::ptr::null_mut(),
            );
            Bound::from_owned_ptr_or_err(self.py, pointer)?
        };
        let array = object.cast::<numpy::PyUntypedArray>()?;
        // SAFETY: the object is an array, so its data pointer may be read.
        let start = unsafe {
            (*numpy::PyUntypedArrayMethods::as_array_ptr(array))
                .fields
                .data
        };
        Ok(Memory {
            object: object.unbind(),
            start: start.cast(),
            length: header.data_bytes,
        })
    }

    /// A bytes object of this length.
    #[expect(
        unsafe_code,
        reason = "only the C API makes a bytes object that is filled later"
    )]
    pub(crate) fn bytes(&self, length: usize) -> PyResult<Memory> {
        let size = ffi::Py_ssize_t::try_from(length)
            .map_err(|_| PyMemoryError::new_err("bytes too large"))?;
        // SAFETY: a null pointer asks for memory that is not set; the object is new.
        unsafe {
            let object = Bound::from_owned_ptr_or_err(
                self.py,
                ffi::PyBytes_FromStringAndSize(std::ptr::null(), size),
            )?;
            let start = ffi::PyBytes_AsString(object.as_ptr());
            Ok(Memory {
                object: object.unbind(),
                start: start.cast(),
                length,
            })
        }
    }

    /// A bytearray of this length.
    #[expect(
        unsafe_code,
        reason = "only the C API makes a bytearray that is filled later"
    )]
    pub(crate) fn bytearray(&self, length: usize) -> PyResult<Memory> {
        let size = ffi::Py_ssize_t::try_from(length)
            .map_err(|_| PyMemoryError::new_err("bytes too large"))?;
        // SAFETY: as in `bytes`.
        unsafe {
            let pointer = ffi::PyByteArray_FromStringAndSize(std::ptr::null(), size);
            let object = Bound::from_owned_ptr_or_err(self.py, pointer)?;
            let start = ffi::PyByteArray_AsString(object.as_ptr());
            Ok(Memory {
                object: object.unbind(),
                start: start.cast(),
                length,
            })
        }
    }
}

/// A dtype as the list that `numpy.lib.format.descr_to_dtype` takes. Nesting is bounded by the reader.
fn description<'py>(py: Python<'py>, dtype: &DType) -> PyResult<Bound<'py, PyAny>> {
    if dtype.fields().is_empty() && !dtype.text().is_empty() {
        return Ok(dtype.text().into_pyobject(py)?.into_any());
    }
    let fields = PyList::empty(py);
    for Field {
        name,
        title,
        dtype,
        shape,
        ..
    } in dtype.fields()
    {
        let name = match title {
            Some(title) => (title, name).into_pyobject(py)?.into_any(),
            None => name.into_pyobject(py)?.into_any(),
        };
        let inner = description(py, dtype)?;
        let field = if shape.is_empty() {
            PyTuple::new(py, [name, inner])?
        } else {
            PyTuple::new(py, [name, inner, PyTuple::new(py, shape)?.into_any()])?
        };
        fields.append(field)?;
    }
    Ok(fields.into_any())
}

/// The numpy scalar that a zero-dimensional array holds.
#[expect(unsafe_code, reason = "numpy's C API makes the scalar")]
pub(crate) fn scalar<'py>(
    py: Python<'py>,
    array: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let array = array.cast::<numpy::PyUntypedArray>()?;
    // SAFETY: the object is an array: its data holds one element of its dtype.
    unsafe {
        let raw = numpy::PyUntypedArrayMethods::as_array_ptr(array);
        let scalar = PY_ARRAY_API.PyArray_Scalar(
            py,
            (*raw).fields.data.cast(),
            (*raw).fields.descr,
            array.as_ptr(),
        );
        Bound::from_owned_ptr_or_err(py, scalar)
    }
}
