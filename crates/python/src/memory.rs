//! Memory that Python will own, filled by Rust.

use std::sync::Arc;

use nopickle_formats::npy::Header;
use nopickle_formats::{DType, Field};
use numpy::npyffi::{self, PY_ARRAY_API};
use numpy::{PyArrayDescrMethods, PyUntypedArrayMethods};
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

/// Memory that several arrays share.
struct Slab<'py> {
    object: Bound<'py, PyAny>,
    start: *mut u8,
    length: usize,
    used: usize,
}

/// Sizes of arrays that share memory: larger ones get large pages by themselves, smaller ones lie on the heap.
const MIDDLE: std::ops::Range<usize> = 64 * 1024..4 << 20;
/// Bytes that share memory at most, and at least.
const SLAB: usize = 16 << 20;
const SLAB_LEAST: usize = 4 << 20;

/// Makes the Python objects whose memory Rust fills.
pub(crate) struct Allocator<'py> {
    py: Python<'py>,
    dtype_class: Option<Bound<'py, PyAny>>,
    slab: Option<Slab<'py>>,
    expected: usize,
    /// Each with the bytes of an element, as numpy counts them.
    dtypes: Vec<(Arc<DType>, Bound<'py, PyAny>, usize)>,
}

impl<'py> Allocator<'py> {
    pub(crate) fn new(py: Python<'py>) -> Self {
        Self {
            py,
            dtype_class: None,
            slab: None,
            expected: 0,
            dtypes: Vec::new(),
        }
    }

    /// The numpy dtype, made once for each dtype of a load, and the bytes of an element.
    fn dtype(&mut self, dtype: &Arc<DType>) -> PyResult<(Bound<'py, PyAny>, usize)> {
        if let Some((_, known, itemsize)) = self
            .dtypes
            .iter()
            .find(|known| Arc::ptr_eq(&known.0, dtype))
        {
            return Ok((known.clone(), *itemsize));
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
        let itemsize = made.cast::<numpy::PyArrayDescr>()?.itemsize();
        self.dtypes
            .push((Arc::clone(dtype), made.clone(), itemsize));
        Ok((made, itemsize))
    }

    /// Says how many bytes arrays of middle size will take that stay in the model: they share memory.
    pub(crate) fn expect(&mut self, bytes: usize) {
        self.expected = bytes;
    }

    /// Whether an array of this size shares memory with others.
    pub(crate) fn is_middle(bytes: usize) -> bool {
        MIDDLE.contains(&bytes)
    }

    /// Room for an array in memory that several arrays share: the array that holds it, and where.
    #[expect(unsafe_code, reason = "the address of an array's memory")]
    fn room(&mut self, bytes: usize) -> PyResult<Option<(Bound<'py, PyAny>, *mut u8)>> {
        if self
            .slab
            .as_ref()
            .is_none_or(|slab| slab.used + bytes > slab.length)
        {
            // What is left may not be worth the large pages that numpy asks for from 4 MiB on.
            if self.expected < SLAB_LEAST {
                return Ok(None);
            }
            let length = self.expected.min(SLAB);
            let numpy = self.py.import("numpy")?;
            let object = numpy.getattr("empty")?.call1((length, "|u1"))?;
            let array = object.cast::<numpy::PyUntypedArray>()?;
            // SAFETY: the object is an array, so its data pointer may be read.
            let start = unsafe {
                (*numpy::PyUntypedArrayMethods::as_array_ptr(array))
                    .fields
                    .data
            };
            self.slab = Some(Slab {
                start: start.cast(),
                object,
                length,
                used: 0,
            });
        }
        let Some(slab) = &mut self.slab else {
            return Ok(None);
        };
        if slab.used + bytes > slab.length {
            return Ok(None);
        }
        // SAFETY: `used + bytes` is at most `length`, so the address is inside the slab's memory.
        let start = unsafe { slab.start.add(slab.used) };
        slab.used = (slab.used + bytes).next_multiple_of(64);
        self.expected = self.expected.saturating_sub(bytes.next_multiple_of(64));
        Ok(Some((slab.object.clone(), start)))
    }

    /// A numpy array with this header, its elements not yet set; `stays` where the model will hold it.
    ///
    /// Arrays of middle size share memory (their `base` is the array that holds it), so that they too
    /// get large pages: reading into fresh pages of 4 kB takes several times as long.
    #[expect(unsafe_code, reason = "numpy's C API makes the array")]
    pub(crate) fn array(&mut self, header: &Header, stays: bool) -> PyResult<Memory> {
        let room = if stays && Self::is_middle(header.data_bytes) {
            self.room(header.data_bytes)?
        } else {
            None
        };
        let (dtype, itemsize) = self.dtype(&header.dtype)?;
        let mut shape: Vec<npyffi::npy_intp> = Vec::with_capacity(header.shape.len());
        for &length in &header.shape {
            shape.push(
                npyffi::npy_intp::try_from(length)
                    .map_err(|_| PyMemoryError::new_err("array too large"))?,
            );
        }
        let dimensions =
            i32::try_from(shape.len()).map_err(|_| PyMemoryError::new_err("array too large"))?;
        let (flags, data) = match &room {
            // The flag of the order alone would make the array read-only.
            Some((_, start)) if header.fortran => (npyffi::NPY_ARRAY_FARRAY, *start),
            Some((_, start)) => (npyffi::NPY_ARRAY_CARRAY, *start),
            None => (i32::from(header.fortran), std::ptr::null_mut()),
        };
        // SAFETY: the reference to the dtype is given away as the call takes it; shape has `dimensions`
        // entries; without a data pointer numpy allocates, else the memory is that of the base, of which
        // a reference is given away to the array.
        let object = unsafe {
            let pointer = PY_ARRAY_API.PyArray_NewFromDescr(
                self.py,
                npyffi::get_type_object(self.py, npyffi::NpyTypes::PyArray_Type),
                dtype.into_ptr().cast(),
                dimensions,
                shape.as_mut_ptr(),
                std::ptr::null_mut(),
                data.cast(),
                flags,
                std::ptr::null_mut(),
            );
            let object = Bound::from_owned_ptr_or_err(self.py, pointer)?;
            if let Some((base, _)) = room
                && PY_ARRAY_API.PyArray_SetBaseObject(
                    self.py,
                    object.as_ptr().cast(),
                    base.into_ptr(),
                ) < 0
            {
                return Err(PyErr::fetch(self.py));
            }
            object
        };
        let array = object.cast::<numpy::PyUntypedArray>()?;
        // All of its memory will be filled, and nothing else.
        if array.len() * itemsize != header.data_bytes {
            return Err(PyMemoryError::new_err(
                "numpy made an array of another size",
            ));
        }
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
