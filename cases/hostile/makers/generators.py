"""States of random number generators."""

from __future__ import annotations

import numpy as np

from .saved import Saved


def random_cases():
    saved_model = Saved("random_state", np.random.RandomState(3))
    saved_model.put("position_past_end", "state", "pos", to=625)
    saved_model.put("position_huge", "state", "pos", to=1 << 40)
    saved_model.put("position_negative", "state", "pos", to=-1)
    saved_model.put("position_text", "state", "pos", to="3")
    key = saved_model.value("state", "key")
    saved_model.put("key_short", "state", "key", to=key[:-1])
    saved_model.put("key_long", "state", "key", to=np.append(key, key[:1]))
    saved_model.put("key_float", "state", "key", to=key.astype(float))
    saved_model.put("key_two_dimensions", "state", "key", to=key.reshape(2, -1))
    saved_model.put("kind_other", "bit_generator", to="PCG64")
    saved_model.put("kind_number", "bit_generator", to=5)
    saved_model.put("gauss_mark_of_7", "has_gauss", to=7)
    saved_model.put("gauss_text", "gauss", to="x")
    saved_model.without("without_state", "state")
    path = ("bit_generator",)
    saved_model = Saved("generator_pcg64", np.random.default_rng(3))
    saved_model.put("state_negative", *path, "state", "state", to=-1)
    saved_model.put("state_over_128_bits", *path, "state", "state", to=1 << 128)
    saved_model.put("state_text", *path, "state", "state", to="1")
    saved_model.put("increment_even", *path, "state", "inc", to=2)
    saved_model.put("increment_over_128_bits", *path, "state", "inc", to=1 << 200)
    saved_model.put("kept_mark_of_7", *path, "has_uint32", to=7)
    saved_model.put("kept_over_32_bits", *path, "uinteger", to=1 << 40)
    saved_model.put("pool_size_huge", "seed_seq", "pool_size", to=1 << 60)
    saved_model.put("pool_size_0", "seed_seq", "pool_size", to=0)
    saved_model.put("entropy_negative", "seed_seq", "entropy", to=-1)
    saved_model.put("spawned_negative", "seed_seq", "n_children_spawned", to=-1)
    saved_model = Saved("generator_mt19937", np.random.Generator(np.random.MT19937(3)))
    saved_model.put("position_past_end", *path, "state", "pos", to=625)
    saved_model.put("position_negative", *path, "state", "pos", to=-7)
    saved_model.put(
        "key_short", *path, "state", "key", to=saved_model.value(*path, "state", "key")[:10]
    )
    saved_model = Saved("generator_philox", np.random.Generator(np.random.Philox(3)))
    saved_model.put("position_past_end", *path, "buffer_pos", to=9)
    saved_model.put("position_negative", *path, "buffer_pos", to=-3)
    saved_model.put("buffer_short", *path, "buffer", to=np.zeros(2, "<u8"))
    saved_model.put("counter_short", *path, "state", "counter", to=np.zeros(1, "<u8"))
    saved_model.put("key_short", *path, "state", "key", to=np.zeros(0, "<u8"))
    saved_model = Saved("generator_sfc64", np.random.Generator(np.random.SFC64(3)))
    saved_model.put("state_short", *path, "state", "state", to=np.zeros(1, "<u8"))
    saved_model.put("state_float", *path, "state", "state", to=np.zeros(4))
