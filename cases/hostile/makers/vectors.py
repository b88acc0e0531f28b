"""Support vector machines."""

from __future__ import annotations

import numpy as np

from .parts import fresh_id, leaf, listing, node, pair
from .saved import Saved, dumped, rows, saved_csr, taken


def vector_cases():
    from sklearn import svm

    inputs, labels, target = rows()
    saved_model = Saved("svc", svm.SVC().fit(inputs, labels))
    support = saved_model.value("_n_support")
    saved_model.put("n_support_high", "_n_support", to=support + np.int32(5))
    saved_model.put("n_support_low", "_n_support", to=support - np.int32(1))
    saved_model.element("n_support_negative", "_n_support", at=0, to=-1)
    saved_model.element("n_support_huge", "_n_support", at=0, to=2_000_000_000)
    saved_model.put("n_support_short", "_n_support", to=support[:-1])
    saved_model.put("n_support_long", "_n_support", to=np.append(support, np.int32(0)))
    saved_model.put("n_support_int64", "_n_support", to=support.astype("<i8"))
    vectors = saved_model.value("support_vectors_")
    saved_model.put("support_vectors_short", "support_vectors_", to=vectors[:-1])
    saved_model.put(
        "support_vectors_narrow", "support_vectors_", to=np.ascontiguousarray(vectors[:, :2])
    )
    saved_model.put("support_vectors_flat", "support_vectors_", to=vectors.reshape(-1))
    saved_model.put("support_vectors_empty", "support_vectors_", to=vectors[:0])
    saved_model.put("support_vectors_float32", "support_vectors_", to=vectors.astype("<f4"))
    duals = saved_model.value("_dual_coef_")
    saved_model.put("dual_coef_short", "_dual_coef_", to=np.ascontiguousarray(duals[:, :-1]))
    saved_model.put("dual_coef_one_row", "_dual_coef_", to=duals[:1])
    saved_model.put("dual_coef_flat", "_dual_coef_", to=duals.reshape(-1))
    saved_model.put("dual_coef_empty", "_dual_coef_", to=duals[:0])
    where = saved_model.value("support_")
    saved_model.put("support_short", "support_", to=where[:-1])
    saved_model.put("support_empty", "support_", to=where[:0])
    saved_model.put("intercept_short", "_intercept_", to=saved_model.value("_intercept_")[:1])
    saved_model.put("intercept_empty", "_intercept_", to=saved_model.value("_intercept_")[:0])
    saved_model.put("prob_a_short", "_probA", to=np.ones(1))
    saved_model.put("prob_b_without_a", "_probB", to=np.ones(3))
    saved_model.put("gamma_text", "_gamma", to="1")
    saved_model.put("sparse_mark_wrong", "_sparse", to=True)
    saved_model.put("classes_fewer", "classes_", to=np.arange(2))
    saved_model.put("classes_more", "classes_", to=np.arange(9))
    saved_model.put("shape_fit_narrow", "shape_fit_", to=pair(leaf(24), leaf(1)))
    saved_model.put("degree_negative", "degree", to=-1)
    saved_model.put("degree_huge", "degree", to=1 << 40)
    saved_model.put("kernel_unknown", "kernel", to="spam")
    saved_model = Saved(
        "svc_precomputed", svm.SVC(kernel="precomputed").fit(inputs @ inputs.T, labels)
    )
    saved_model.element("support_past_end", "support_", at=0, to=24)
    saved_model.element("support_negative", "support_", at=0, to=-1)
    saved_model.element("support_huge", "support_", at=0, to=1 << 30)
    saved_model.put("shape_fit_short", "shape_fit_", to=pair(leaf(3), leaf(3)))
    saved_model = Saved(
        "svc_probability", svm.NuSVC(nu=0.3, probability=True, random_state=0).fit(inputs, labels)
    )
    saved_model.put("prob_a_short", "_probA", to=saved_model.value("_probA")[:1])
    saved_model.put("prob_b_short", "_probB", to=saved_model.value("_probB")[:0])
    saved_model.put("prob_b_empty_a_whole", "_probB", to=np.zeros(0, "<f4"))
    import scipy.sparse as sparse

    saved_model = Saved("svr_sparse", svm.SVR().fit(sparse.csr_matrix(inputs), target))
    saved_model.put("n_support_high", "_n_support", to=np.array([900, 900], dtype="<i4"))
    saved_model.put("support_vectors_dense", "support_vectors_", to=inputs)
    saved_model.put("sparse_mark_wrong", "_sparse", to=False)
    saved_model = Saved("one_class_svm", svm.OneClassSVM().fit(inputs))
    saved_model.put("n_support_high", "_n_support", to=np.array([900, 900], dtype="<i4"))
    saved_model.put("dual_coef_empty", "_dual_coef_", to=np.zeros((0, 0)))
    saved_model.put("intercept_two_dimensions", "_intercept_", to=np.zeros((1, 1)))


def more_vector_cases():
    import scipy.sparse as sparse
    from sklearn import svm

    inputs, labels, _ = rows()
    saved_model = Saved("svc_2", svm.SVC().fit(inputs, labels))
    saved_model.put("sparse_mark_text", "_sparse", to="no")
    saved_model.put("shape_fit_empty", "shape_fit_", to=pair())
    saved_model.put("shape_fit_list", "shape_fit_", to=listing(leaf(24), leaf(3)))
    saved_model.put("support_float", "support_", to=saved_model.value("support_").astype(float))
    saved_model.put("counts_of_one", "_n_support", to=saved_model.value("_n_support")[:1])
    saved_model.without("without_kernel", "kernel")
    saved_model.put("kernel_function", "kernel", to=node("FunctionNode", "numpy", "add"))
    kernel = node("FunctionNode", "sklearn.metrics.pairwise", "rbf_kernel")
    saved_model.put("kernel_without_data", "kernel", to=kernel)
    saved_model.plus(
        "hides_a_check", "_validate_for_predict", to=node("FunctionNode", "numpy", "asarray")
    )
    matrix = sparse.csr_matrix(inputs)
    saved_model = Saved("svc_sparse", svm.SVC().fit(matrix, labels))
    saved_model.put("kernel_precomputed", "kernel", to="precomputed")
    saved_model.put("probability", "probability", to=True)
    saved_model.put("support_vectors_dense", "support_vectors_", to=inputs)
    for name, values in {
        "dual_coef_pruned": saved_csr(np.ones((2, 24)), 0),
        "dual_coef_short": sparse.csr_matrix(np.ones((2, 5))),
        "dual_coef_with_zeros": sparse.csr_matrix(np.eye(24)[:2]),
    }.items():
        _, entries = taken(dumped(values) if not isinstance(values, bytes) else values)
        here = saved_model.find(saved_model.schema, ("_dual_coef_",))
        saved_model.entries = {**saved_model.entries, "other.npz": entries["1.npz"]}
        saved_model.put(name, "_dual_coef_", to={**here, "file": "other.npz", "__id__": fresh_id()})
    saved_model.put("dual_coef_dense", "_dual_coef_", to=np.ones((2, 24)))
