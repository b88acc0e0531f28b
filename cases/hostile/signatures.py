"""Make the hostile signatures of ``cases/hostile/model_sig``: each breaks one rule of ``docs/formats/model_sig.md``.

    python cases/hostile/signatures.py [--check]

Each ``NAME.sig`` is a signature of the folder ``model_sig/model``; ``model_sig/keys`` holds the public keys that are
trusted. ``model_sig/expected.toml`` says with which kind of error it is refused, and with which words. Nothing here
uses nopickle; keys and signatures come from ``cryptography``. The private keys are small numbers: they protect nothing.
With ``--check`` nothing is written, and what would change is named.
"""

from __future__ import annotations

import argparse
import base64
import copy
import hashlib
import json
import sys
from pathlib import Path

import blake3
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

HERE = Path(__file__).parent / "model_sig"
MODEL = {"MLmodel": b"flavors: {}\n", "data/weights.txt": b"1 2 3\n"}
TYPE = "application/vnd.in-toto+json"
MEDIA = "application/vnd.dev.sigstore.bundle.v0.3+json"
CURVES = {
    "p256": (ec.SECP256R1(), hashes.SHA256()),
    "p384": (ec.SECP384R1(), hashes.SHA384()),
    "p521": (ec.SECP521R1(), hashes.SHA512()),
    "stranger": (ec.SECP256R1(), hashes.SHA256()),
}
KEYS = {
    name: ec.derive_private_key(1000 + number, curve)
    for number, (name, (curve, _)) in enumerate(CURVES.items())
}
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
FILES: dict[str, bytes] = {}
EXPECTED: dict[str, tuple[str, str]] = {}


def pem(key):
    """Return the text of a public key."""
    encoding, kind = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return KEYS[key].public_key().public_bytes(encoding, kind)


def statement(hash_type="sha256", files=None):
    """Return a statement of the model, as ``model-signing`` writes it."""
    functions = {
        "sha256": hashlib.sha256,
        "blake2b": hashlib.blake2b,
        "blake3": blake3.blake3,
    }
    resources = [
        {"name": name, "digest": functions[hash_type](data).hexdigest(), "algorithm": hash_type}
        for name, data in (files or MODEL).items()
    ]
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": root(resources)}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "resources": resources,
            "serialization": {
                "ignore_paths": [".git", "model.sig", ".github", ".gitignore", ".gitattributes"],
                "method": "files",
                "allow_symlinks": False,
                "hash_type": hash_type,
            },
        },
    }


def root(resources):
    """Return the digest of all digests."""
    return hashlib.sha256(b"".join(bytes.fromhex(r["digest"]) for r in resources)).hexdigest()


def sign(payload, key="p256", version="DSSEv1"):
    """Return ECDSA in DER of a payload."""
    message = f"{version} {len(TYPE)} {TYPE} {len(payload)} ".encode() + payload
    return KEYS[key].sign(message, ec.ECDSA(CURVES[key][1], deterministic_signing=True))


def der_of(*numbers):
    """Return numbers in DER, which may be negative."""
    parts = b""
    for number in numbers:
        data = number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)
        parts += bytes([2, len(data)]) + data
    return bytes([0x30, len(parts)]) + parts


def bundle(payload, key="p256", signature=None, hint=...):
    """Return a bundle as a dict; a payload is a statement or bytes."""
    if not isinstance(payload, bytes):
        payload = json.dumps(payload, indent=2).encode()
    if signature is None:
        signature = sign(payload, key)
    if hint is ...:
        hint = hashlib.sha256(pem(key)).hexdigest()
    return {
        "mediaType": MEDIA,
        "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": TYPE,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        },
    }


def add(name, content, kind="loads", says=""):
    """Add a signature: bytes, or a bundle."""
    if not isinstance(content, bytes):
        content = json.dumps(content, separators=(",", ":")).encode()
    assert f"{name}.sig" not in FILES, name
    FILES[f"{name}.sig"] = content
    EXPECTED[name] = (kind, says)


def changed(value, path, new):
    """Return a copy of nested dicts and lists with one value set; ``None`` removes it."""
    value = copy.deepcopy(value)
    *parents, last = path
    place = value
    for part in parents:
        place = place[part]
    if new is None:
        del place[last]
    else:
        place[last] = new
    return value


def good():
    """Signatures that hold."""
    for key in ("p256", "p384", "p521"):
        add(f"good_{key}", bundle(statement(), key))
    for name in ("blake2b", "blake3"):
        add(f"good_{name}", bundle(statement(name)))
    extra = changed(statement(), ["predicate", "card"], {"a": [1, None, True]})
    add("good_unknown_keys_of_a_statement", bundle(extra))
    add("good_no_hint", changed(bundle(statement()), ["verificationMaterial", "publicKey"], {}))
    ignores = changed(statement(), ["predicate", "serialization", "ignore_paths"], ["not/there"])
    add("good_ignores_nothing_that_is_there", bundle(ignores))
    payload = json.dumps(statement()).encode()
    r, s = decode_dss_signature(sign(payload))
    high = encode_dss_signature(r, max(s, ORDER - s))
    add("good_high_s", bundle(payload, signature=high))
    unsafe = bundle(statement() | {"note": "\u00ff?\u00ff?\u00ff>\u00ff>~~"})
    path = ["dsseEnvelope", "payload"]
    text = unsafe["dsseEnvelope"]["payload"].replace("+", "-").replace("/", "_")
    add("good_url_safe_base64", changed(unsafe, path, text))


def bundles():
    """Rules of the bundle."""
    whole = bundle(statement())
    text = json.dumps(whole, separators=(",", ":")).encode()
    json_words = "malformed model_sig: the text is not JSON"
    add("empty", b"", "malformed", json_words)
    add("not_json", b"model.sig", "malformed", json_words)
    add("cut_short", text[:-40], "malformed", json_words)
    add("bytes_behind", text + b" x", "malformed", json_words)
    add("not_utf8", text.replace(b'"keyid":""', b'"keyid":"\xff"'), "malformed", json_words)
    add("byte_order_mark", b"\xef\xbb\xbf" + text, "malformed", json_words)
    twice = "malformed model_sig: an object has a key twice"
    add("key_twice", text[:-1] + b',"mediaType":"x"}', "malformed", twice)
    second = text.replace(b'"payloadType"', b'"payload":"e30=","payloadType"')
    add("payload_twice", second, "malformed", twice)
    escaped = text.replace(b'"payloadType"', b'"p\\u0061yload":"e30=","payloadType"')
    add("payload_twice_escaped", escaped, "malformed", twice)
    add("nested", b"[" * 60_000, "limit", "nesting of JSON is over the limit")
    deep = b'{"a":' * 33 + b"1" + b"}" * 33
    add("nested_objects", deep, "limit", "nesting of JSON is over the limit")
    add("long", text + b" " * (70 << 10), "loads", "small limits: bytes of a text is over")
    many = changed(whole, ["verificationMaterial", "tlogEntries"], [0] * 3000)
    add("many_values", many, "loads", "small limits: values of JSON is over the limit: 1001 > 1000")
    add("a_list", b"[]", "malformed", "malformed model_sig: a bundle is not an object")
    unknown = changed(whole, ["other"], 1)
    add("unknown_key", unknown, "unsupported", "unsupported key of a bundle: other")
    unknown = changed(whole, ["dsseEnvelope", "other"], 1)
    add("unknown_key_of_envelope", unknown, "unsupported", "unsupported key of a bundle: other")
    media = changed(whole, ["mediaType"], "application/vnd.dev.sigstore.bundle+json;version=0.1")
    add("media_type_old", media, "unsupported", "unsupported media type of a bundle: application")
    media = changed(whole, ["mediaType"], None)
    add("media_type_missing", media, "malformed", "a bundle does not say its media type")
    material = "verificationMaterial"
    none = changed(whole, [material], None)
    add("material_missing", none, "malformed", "a bundle has no verification material")
    none = changed(whole, [material, "publicKey"], None)
    add("key_missing", none, "malformed", "the verification material names no public key")
    certificate = changed(none, [material, "certificate"], {"rawBytes": "MA=="})
    add("certificate", certificate, "unsupported", "unsupported verification material: certificate")
    chain = changed(whole, [material, "x509CertificateChain"], {"certificates": []})
    words = "unsupported verification material: x509CertificateChain"
    add("certificate_beside_key", chain, "unsupported", words)
    number = changed(whole, [material, "publicKey", "hint"], 1)
    add("hint_a_number", number, "malformed", "a key is not named by a text")
    envelope = "dsseEnvelope"
    none = changed(whole, [envelope], None)
    add("envelope_missing", none, "malformed", "a bundle has no envelope")
    message = changed(whole, ["messageSignature"], {"signature": "MA=="})
    words = "unsupported content of a bundle: messageSignature"
    add("message_signature", message, "unsupported", words)
    other = changed(whole, [envelope, "payloadType"], "application/json")
    words = "unsupported payload type of an envelope: application/json"
    add("payload_type_other", other, "unsupported", words)
    none = changed(whole, [envelope, "payloadType"], None)
    add("payload_type_missing", none, "malformed", "an envelope does not say its payload type")
    none = changed(whole, [envelope, "payload"], None)
    add("payload_missing", none, "malformed", "an envelope has no payload")
    garbage = changed(whole, [envelope, "payload"], "e30=!")
    add("payload_not_base64", garbage, "malformed", "a text is not base64")
    both = changed(whole, [envelope, "payload"], "-+_/")
    add("payload_of_two_alphabets", both, "malformed", "a text is not base64")
    signatures = whole[envelope]["signatures"]
    words = "an envelope has not exactly one signature"
    for name, count in (("none", 0), ("two", 2)):
        some = changed(whole, [envelope, "signatures"], signatures * count)
        add(f"signatures_{name}", some, "malformed", words)
    place = [envelope, "signatures", 0]
    add("signature_a_text", changed(whole, place, "MA=="), "malformed", "a signature is not an obj")
    garbage = changed(whole, [*place, "sig"], "*")
    add("signature_not_base64", garbage, "malformed", "a text is not base64")
    none = changed(whole, [*place, "sig"], None)
    add("signature_without_bytes", none, "malformed", "a signature has no bytes")
    number = changed(whole, [*place, "keyid"], 1)
    add("keyid_a_number", number, "malformed", "a key is not named by a text")


def signatures():
    """Rules of the signature itself."""
    payload = json.dumps(statement()).encode()
    signature = sign(payload)
    r, s = decode_dss_signature(signature)
    der = "malformed model_sig: a signature is not two numbers of its curve in DER"
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    long_form = signature[:1] + b"\x81" + signature[1:]
    for name, wrong in {
        "der_cut_short": signature[:-1],
        "der_bytes_behind": signature + b"\0",
        "der_empty": b"",
        "der_long_length": long_form,
        "der_not": raw,
        "r_zero": encode_dss_signature(0, s),
        "s_zero": encode_dss_signature(r, 0),
        "r_the_order": encode_dss_signature(ORDER, s),
        "s_past_order": encode_dss_signature(r, s + ORDER),
        "r_negative": der_of(-r, s),
        "both_of_another_curve": encode_dss_signature(1 << 300, 1 << 300),
    }.items():
        add(name, bundle(payload, signature=wrong), "malformed", der)
    not_by_key = "the signature does not match its content and key"
    flipped = bytearray(signature)
    flipped[-1] ^= 1
    add("signature_flipped", bundle(payload, signature=bytes(flipped)), "refused", not_by_key)
    swapped = encode_dss_signature(s, r)
    add("r_and_s_swapped", bundle(payload, signature=swapped), "refused", not_by_key)
    other = bundle(payload.replace(b"MLmodel", b"MLMODEL"), signature=signature)
    add("payload_changed", other, "refused", not_by_key)
    spaces = bundle(payload + b"\n", signature=signature)
    add("payload_reformatted", spaces, "refused", not_by_key)
    hint = hashlib.sha256(pem("p256")).hexdigest()
    curve = bundle(payload, key="p384", hint=hint)
    add("curve_of_another_key", curve, "malformed", der)
    stranger = bundle(payload, key="stranger", hint=hint)
    add("stranger_with_hint_of_a_key", stranger, "refused", not_by_key)
    add("stranger", bundle(payload, "stranger"), "refused", "the signature is of another key")
    none = bundle(payload, "stranger", hint="")
    add("stranger_without_hint", changed(none, ["mediaType"], MEDIA), "refused", not_by_key)
    old = bundle(payload, signature=sign(payload, version="DSSEV1"))
    add("encoding_before_1_0", old, "refused", not_by_key)
    # The bytes that are signed say how long the payload is: none can be moved to the type.
    message = sign(payload[1:])
    add("payload_longer", bundle(payload, signature=message), "refused", not_by_key)


def statements():
    """Rules of the statement; each is signed by a key that is trusted."""
    whole = statement()

    def put(name, payload, kind, says):
        add(name, bundle(payload), kind, says)

    put(
        "statement_not_json", b"{", "malformed", "payload:1:1: malformed model_sig: the text is not"
    )
    put("statement_a_list", b"[]", "malformed", "a statement is not an object")
    text = json.dumps(whole).encode()
    twice = text.replace(b'"predicate":', b'"predicate": {}, "predicate":')
    put("statement_key_twice", twice, "malformed", "an object has a key twice")
    nested = text.replace(b'"predicate":', b'"other": ' + b"[" * 40 + b"]" * 40 + b', "predicate":')
    put("statement_nested", nested, "limit", "nesting of JSON is over the limit")
    other = changed(whole, ["_type"], "https://in-toto.io/Statement/v0.1")
    put("statement_type_old", other, "unsupported", "unsupported type of a statement: https:")
    none = changed(whole, ["_type"], None)
    put("statement_type_missing", none, "malformed", "a statement does not say its type")
    old = changed(whole, ["predicateType"], "https://model_signing/Digests/v0.1")
    put("predicate_type_old", old, "unsupported", "unsupported predicate type: https:")
    other = changed(whole, ["predicateType"], "https://slsa.dev/provenance/v1")
    put("predicate_type_other", other, "unsupported", "unsupported predicate type: https:")
    words = "a statement has not exactly one subject"
    put("subject_missing", changed(whole, ["subject"], None), "malformed", words)
    put("subject_twice", changed(whole, ["subject"], whole["subject"] * 2), "malformed", words)
    digest = ["subject", 0, "digest"]
    words = "a subject has no digest by sha256"
    put("subject_sha512", changed(whole, digest, {"sha512": "00"}), "malformed", words)
    words = "the digest of the subject is not that of its resources"
    put("subject_of_other_files", changed(whole, [*digest, "sha256"], "0" * 64), "malformed", words)
    upper = changed(whole, [*digest, "sha256"], whole["subject"][0]["digest"]["sha256"].upper())
    put("subject_in_upper_case", upper, "malformed", words)
    swapped = changed(whole, ["predicate", "resources"], whole["predicate"]["resources"][::-1])
    put("resources_in_another_order", swapped, "malformed", words)
    none = changed(whole, ["predicate"], None)
    put("predicate_missing", none, "malformed", "a statement has no predicate")
    how = ["predicate", "serialization"]
    words = "a predicate does not say how files were hashed"
    put("serialization_missing", changed(whole, how, None), "malformed", words)
    put("hash_missing", changed(whole, [*how, "hash_type"], None), "malformed", words)
    shards = changed(whole, [*how, "method"], "shards")
    put("shards", shards, "unsupported", "unsupported method of serialization: shards")
    md5 = changed(whole, [*how, "hash_type"], "md5")
    put("hash_md5", md5, "unsupported", "unsupported hash function: md5")
    ignore = [*how, "ignore_paths"]
    words = "the paths to ignore are not a list"
    put("ignores_a_text", changed(whole, ignore, "data"), "malformed", words)
    words = "a path to ignore is not a text"
    put("ignores_a_number", changed(whole, ignore, [1]), "malformed", words)
    place = ["predicate", "resources"]
    words = "a predicate has no list of resources"
    put("resources_missing", changed(whole, place, None), "malformed", words)
    put("resources_an_object", changed(whole, place, {}), "malformed", words)
    empty = changed(changed(whole, place, []), [*digest, "sha256"], root([]))
    put("resources_empty", empty, "unsupported", "unsupported signature: of no file")
    words = "a resource has not a name, an algorithm and a digest"
    put("resource_without_name", changed(whole, [*place, 0, "name"], None), "malformed", words)
    put("resource_a_text", changed(whole, [*place, 0], "MLmodel"), "malformed", words)
    algorithm = changed(whole, [*place, 1, "algorithm"], "blake3")
    words = "a resource has another algorithm than its statement"
    put("resource_of_another_algorithm", algorithm, "malformed", words)
    words = "a digest is not as many digits as its algorithm gives"
    first = whole["predicate"]["resources"][0]["digest"]
    for name, wrong in {
        "short": first[:-2],
        "long": first + "00",
        "odd": first[:-1],
        "empty": "",
        "upper": first.upper(),
        "of_letters": "z" * 64,
        "signed": "+" + first[1:],
    }.items():
        put(f"digest_{name}", changed(whole, [*place, 0, "digest"], wrong), "malformed", words)
    for name, (path, says) in {
        "absolute": ("/etc/hostname", "/etc/hostname: malformed folder: a path is absolute"),
        "parent": ("../keys/p256.pem", "malformed folder: a path leaves its folder"),
        "parent_inside": ("data/../MLmodel", "malformed folder: a path leaves its folder"),
        "dot": ("./MLmodel", "malformed folder: a path has a part that is a dot"),
        "of_one_file": (".", "malformed folder: a path has a part that is a dot"),
        "backslash": ("data\\weights.txt", "malformed folder: a path holds a backslash"),
        "drive": ("C:MLmodel", "malformed folder: a path starts with a drive letter"),
        "nul": ("MLmodel\0", "malformed folder: a path holds a NUL"),
        "newline": ("MLmodel\n", "malformed folder: a path holds a control character"),
        "empty": ("", "malformed folder: a path is empty"),
        "empty_part": ("data//weights.txt", "malformed folder: a path has an empty part"),
        "dot_at_end": ("MLmodel.", "a part of a path ends with a dot or a space"),
    }.items():
        put(f"path_{name}", changed(whole, [*place, 0, "name"], path), "malformed", says)
    resources = whole["predicate"]["resources"]
    put(
        "resource_twice",
        with_resources(whole, resources * 2),
        "malformed",
        "two resources have one",
    )
    twin = resources + [resources[0] | {"name": "mlmodel"}]
    words = "two resources differ only in case"
    put("resource_twin", with_resources(whole, twin), "malformed", words)


def with_resources(whole, resources):
    """Return a statement of other resources."""
    whole = changed(whole, ["predicate", "resources"], resources)
    return changed(whole, ["subject", 0, "digest", "sha256"], root(resources))


def folders():
    """A folder that is not what was signed."""
    whole = statement()
    resources = whole["predicate"]["resources"]
    ignore = ["predicate", "serialization", "ignore_paths"]
    other = statement(files=MODEL | {"MLmodel": b"flavors: {x: {}}\n"})
    says = "MLmodel: the file was changed after it was signed"
    add("file_changed", bundle(other), "refused", says)
    more = statement(files=MODEL | {"code/run.py": b""})
    says = "code/run.py: the file was signed and is missing"
    add("file_missing", bundle(more), "refused", says)
    says = "data/weights.txt: the file was not signed"
    fewer = with_resources(whole, resources[:1])
    add("file_added", bundle(fewer), "refused", says)
    for name, paths in {
        "its_folder": ["data"],
        "it": ["data/weights.txt"],
        "all": [".", "", "/", "*", "**/*"],
        "by_a_way_round": ["data/../data", "./data", "data/"],
    }.items():
        hidden = bundle(changed(fewer, ignore, paths))
        add(f"file_added_that_ignores_{name}", hidden, "refused", says)
    renamed = {("data/w.txt" if "w" in name else name): data for name, data in MODEL.items()}
    says = "data/w.txt: the file was signed and is missing"
    add("file_renamed", bundle(statement(files=renamed)), "refused", says)
    case = {name.replace("ML", "ml"): data for name, data in MODEL.items()}
    says = "MLmodel: the file was not signed"
    add("file_of_another_case", bundle(statement(files=case)), "refused", says)


def main(given: list[str] | None = None) -> int:
    """Write the signatures, the model and the keys."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; name what would change"
    )
    options = parser.parse_args(given)
    for make in (good, bundles, signatures, statements, folders):
        make()
    for name, data in MODEL.items():
        FILES[f"model/{name}"] = data
    for key in ("p256", "p384", "p521"):
        FILES[f"keys/{key}.pem"] = pem(key)
    lines = [
        "# What becomes of each signature here: the kind of error that it is refused with, and words of the message.",
        '# `with = "small limits"`: only under the limits of crates/gate/tests/hostile.rs; else it verifies.',
    ]
    for name, (kind, says) in sorted(EXPECTED.items()):
        small = says.startswith("small limits: ")
        says = says.removeprefix("small limits: ").replace("\\", "\\\\")
        parts = [f'kind = "{"limit" if small else kind}"']
        parts += [f'says = "{says}"'] if says else []
        parts += ['with = "small limits"'] if small else []
        lines.append(f'"{name}" = {{ {", ".join(parts)} }}')
    FILES["expected.toml"] = "\n".join([*lines, ""]).encode()
    status = 0
    for name, data in sorted(FILES.items()):
        path = HERE / name
        if path.exists() and path.read_bytes() == data:
            continue
        if options.check:
            print(f"would change: {name}")
            status = 1
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    on_disk = {str(path.relative_to(HERE)) for path in HERE.rglob("*") if path.is_file()}
    for name in sorted(on_disk - FILES.keys()):
        print(f"nobody makes: {name}")
        status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
