"""Signed models: what PyPI ``model-signing`` signs verifies here and the other way round; changes are refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from nopickle import exceptions, signing

HOSTILE = Path(__file__).parents[2] / "cases" / "hostile" / "model_sig"
CURVES = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}
FILES = {
    "MLmodel": b"flavors: {}\n",
    "code/a.py": b"a = 1\n",
    "code-x": b"",
    "model.skops": bytes(range(256)) * 5000,
    "caf\u00e9/\u4e2d \u00df.txt": b"text",
}
PEM = serialization.Encoding.PEM


def private(key, form=serialization.PrivateFormat.PKCS8, password=None):
    """Return a private key as a text."""
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return key.private_bytes(PEM, form, encryption)


def public(key):
    """Return a public key as a text."""
    return key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(scope="module")
def reference():
    """``model-signing``, whose import warns where its dependencies are newer than it knows."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import model_signing
    return model_signing


@pytest.fixture(params=CURVES)
def keys(request, tmp_path):
    """A key on each curve, as two files."""
    key = ec.generate_private_key(CURVES[request.param])
    (tmp_path / "key.pem").write_bytes(private(key))
    (tmp_path / "key.pub.pem").write_bytes(public(key))
    return tmp_path / "key.pem", tmp_path / "key.pub.pem"


@pytest.fixture
def model(tmp_path):
    """A folder of files."""
    folder = tmp_path / "model"
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def pair(tmp_path):
    """One key, as two files."""
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "one.pem").write_bytes(private(key))
    (tmp_path / "one.pub.pem").write_bytes(public(key))
    return tmp_path / "one.pem", tmp_path / "one.pub.pem"


def signed_by_reference(reference, model, key, signature, **options):
    """Sign with ``model-signing``."""
    hashing = reference.hashing.Config()
    hashing.use_file_serialization(**options)
    hashing.set_ignored_paths(paths=["model.sig"])
    config = reference.signing.Config().use_elliptic_key_signer(private_key=key)
    config.set_hashing_config(hashing).sign(model, signature)


def test_what_the_reference_signs_verifies_here(reference, keys, model):
    (model / ".gitignore").write_text("x")
    signed_by_reference(reference, model, keys[0], model / "model.sig")
    verified = signing.verify(model, keys[1])
    assert verified.name == "model"
    assert sorted(verified.digests) == sorted(FILES)
    (model / "MLmodel").write_bytes(b"flavors: []\n")
    with pytest.raises(exceptions.UnverifiedModelError, match=r"MLmodel: the file was changed"):
        signing.verify(model, keys[1])


def test_what_is_signed_here_verifies_with_the_reference(reference, keys, model):
    signed = signing.sign(model, keys[0])
    assert signed.signature == model / "model.sig"
    (model / ".gitignore").write_text("x")
    config = reference.verifying.Config().use_elliptic_key_verifier(public_key=keys[1])
    config.verify(model, model / "model.sig")
    (model / "MLmodel").write_bytes(b"flavors: []\n")
    config = reference.verifying.Config().use_elliptic_key_verifier(public_key=keys[1])
    with pytest.raises(ValueError, match="Hash mismatch for 'MLmodel'"):
        config.verify(model, model / "model.sig")


def test_the_statement_is_that_of_the_reference(reference, keys, model):
    import base64

    def statement():
        envelope = json.loads((model / "model.sig").read_text())["dsseEnvelope"]
        found = json.loads(base64.b64decode(envelope["payload"]))
        found["predicate"]["serialization"]["ignore_paths"].sort()
        return found

    signed_by_reference(reference, model, keys[0], model / "model.sig")
    expected = statement()
    signing.sign(model, keys[0])
    assert statement() == expected


def test_one_file_is_a_model_for_both(reference, pair, model):
    file = model / "model.skops"
    signed_by_reference(reference, file, pair[0], model / "x.sig")
    assert list(signing.verify(file, pair[1], signature_path=model / "x.sig").digests) == ["."]
    signed = signing.sign(file, pair[0])
    assert signed.signature == model / "model.skops.sig"
    config = reference.verifying.Config().use_elliptic_key_verifier(public_key=pair[1])
    config.verify(file, signed.signature)
    signing.verify(file, pair[1])


def test_hash_functions_of_the_reference(reference, pair, model):
    for name in ("blake2", "blake3"):
        signed_by_reference(reference, model, pair[0], model / "model.sig", hashing_algorithm=name)
        digests = signing.verify(model, pair[1]).digests
        assert digests == signing.sign(model, pair[0]).digests, name  # SHA-256, whatever was signed


def test_the_command_of_the_reference(pair, model):
    command = [sys.executable, "-W", "ignore", "-m", "model_signing"]
    path = str(model / "model.sig")
    signs = [*command, "sign", "key", str(model), "--signature", path, "--private_key", pair[0]]
    subprocess.run(signs, check=True, capture_output=True)
    signing.verify(model, pair[1])
    signing.sign(model, pair[0])
    verifies = [*command, "verify", "key", str(model), "--signature", path, "--public_key", pair[1]]
    subprocess.run(verifies, check=True, capture_output=True)


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("form", ["PKCS8", "TraditionalOpenSSL"])
def test_private_keys_of_both_kinds(curve, form, model, tmp_path):
    key = ec.generate_private_key(CURVES[curve])
    (tmp_path / "k.pem").write_bytes(private(key, getattr(serialization.PrivateFormat, form)))
    (tmp_path / "k.pub.pem").write_bytes(public(key))
    signed = signing.sign(model, tmp_path / "k.pem")
    assert signing.verify(model, [tmp_path / "k.pub.pem"]).key == signed.key


@pytest.mark.parametrize("curve", CURVES)
def test_an_encrypted_key_needs_its_password(curve, model, tmp_path, monkeypatch):
    key = ec.generate_private_key(CURVES[curve])
    (tmp_path / "k.pem").write_bytes(private(key, password=b"correct horse"))
    (tmp_path / "k.pub.pem").write_bytes(public(key))
    monkeypatch.delenv("NOPICKLE_KEY_PASSWORD", raising=False)
    with pytest.raises(exceptions.InvalidArgumentError, match="NOPICKLE_KEY_PASSWORD"):
        signing.sign(model, tmp_path / "k.pem")
    with pytest.raises(exceptions.InvalidArgumentError, match="its password is another") as wrong:
        signing.sign(model, tmp_path / "k.pem", password="battery staple")
    assert "battery" not in str(wrong.value)
    assert not (model / "model.sig").exists()
    signing.sign(model, tmp_path / "k.pem", password="correct horse")
    signing.verify(model, tmp_path / "k.pub.pem")
    monkeypatch.setenv("NOPICKLE_KEY_PASSWORD", "correct horse")
    signing.sign(model, tmp_path / "k.pem")


def test_other_keys_are_refused(model, tmp_path):
    for name, key in {
        "secp256k1": ec.generate_private_key(ec.SECP256K1()),
        "p224": ec.generate_private_key(ec.SECP224R1()),
    }.items():
        (tmp_path / name).write_bytes(private(key))
        (tmp_path / "pub").write_bytes(public(key))
        for use in (
            lambda name=name: signing.sign(model, tmp_path / name),
            lambda: signing.verify(model, tmp_path / "pub"),
        ):
            with pytest.raises(exceptions.InvalidArgumentError, match="not a key on P-256"):
                use()


def write(name, data):
    """Return a change that writes a file."""
    return lambda model: (model / name).write_bytes(data)


TAMPERED = {
    "changed": (write("code/a.py", b"a = 2\n"), "code/a.py: the file was changed"),
    "same_size": (
        write("model.skops", FILES["model.skops"][:-1] + b"\0"),
        "model.skops: the file was changed",
    ),
    "emptied": (write("MLmodel", b""), "MLmodel: the file was changed"),
    "filled": (write("code-x", b"\n"), "code-x: the file was changed"),
    "added": (write("code/b.py", b""), "code/b.py: the file was not signed"),
    "added_hidden": (write("code/.git", b""), "code/.git: the file was not signed"),
    "added_signature": (write("code/model.sig", b""), "code/model.sig: the file was not signed"),
    "removed": (lambda model: (model / "code-x").unlink(), "code-x: the file was signed and is mi"),
    "renamed": (
        lambda model: (model / "code-x").rename(model / "code-y"),
        "code-x: the file was signed and is missing; code-y: the file was not signed",
    ),
    "moved": (
        lambda model: (model / "code-x").rename(model / "code/code-x"),
        "code-x: the file was signed and is missing; code/code-x: the file was not signed",
    ),
    "unicode_twin": (
        write("cafe\u0301", b""),
        "two names differ only in how their letters are composed",
    ),
    "case_twin": (write("mlmodel", b""), "model: two names differ only in case"),
    "backslash": (write("code\\a.py", b""), "a path holds a backslash"),
    "not_utf8": (
        lambda model: Path(os.fsdecode(os.fsencode(model) + b"/\xff")).write_bytes(b""),
        "a name is not UTF-8",
    ),
    "link_added": (lambda model: (model / "l").symlink_to("MLmodel"), "l: a link stands in the"),
    "link_folder": (lambda model: (model / "l").symlink_to("code"), "l: a link stands in the fo"),
    "pipe": (lambda model: os.mkfifo(model / "p"), "p: an entry is neither a file nor a folder"),
    "unsigned": (
        lambda model: (model / "model.sig").unlink(),
        "model.sig: the model is not signed",
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_each_change_is_refused_and_names_its_file(name, pair, model):
    signing.sign(model, pair[0])
    signing.verify(model, pair[1])
    change, says = TAMPERED[name]
    change(model)
    with pytest.raises(exceptions.UnverifiedModelError, match=re.escape(says)) as refused:
        signing.verify(model, pair[1])
    assert "\nhint: " in str(refused.value)


def test_a_file_that_became_a_link_to_itself_is_refused(pair, model, tmp_path):
    signing.sign(model, pair[0])
    (model / "MLmodel").rename(tmp_path / "MLmodel")
    (model / "MLmodel").symlink_to(tmp_path / "MLmodel")
    with pytest.raises(exceptions.UnverifiedModelError, match="MLmodel: a link stands in the"):
        signing.verify(model, pair[1])
    with pytest.raises(exceptions.MalformedModelError, match=r"MLmodel: .* a link stands in"):
        signing.sign(model, pair[0])


def test_a_signature_by_another_key_is_refused(keys, pair, model):
    signing.sign(model, keys[0])
    with pytest.raises(exceptions.UnverifiedModelError, match="the signature is of another key"):
        signing.verify(model, pair[1])
    assert signing.verify(model, [pair[1], keys[1]]).key
    with pytest.raises(exceptions.InvalidArgumentError, match="there is none to verify with"):
        signing.verify(model, [])
    with pytest.raises(exceptions.InvalidArgumentError, match="it is a private key"):
        signing.verify(model, keys[0])


KINDS = {
    "malformed": exceptions.MalformedModelError,
    "unsupported": exceptions.UnsupportedModelError,
    "limit": exceptions.LimitExceededError,
    "refused": exceptions.UnverifiedModelError,
}
LINE = re.compile(r'"([^"]+)" = \{ kind = "(\w+)"(?:, says = "([^"]*)")?(?:, with = "([^"]*)")? \}')


def cases():
    """Name, kind and words of each hostile signature."""
    for line in (HOSTILE / "expected.toml").read_text().splitlines():
        if line and not line.startswith("#"):
            name, kind, says, condition = LINE.fullmatch(line).groups()
            yield pytest.param(name, "loads" if condition else kind, says, id=name)


@pytest.mark.parametrize(("name", "kind", "says"), list(cases()))
def test_hostile_signatures(name, kind, says):
    keys = sorted((HOSTILE / "keys").glob("*.pem"))
    if kind == "loads":
        verified = signing.verify(HOSTILE / "model", keys, signature_path=HOSTILE / f"{name}.sig")
        assert sorted(verified.digests) == ["MLmodel", "data/weights.txt"]
        return
    with pytest.raises(KINDS[kind], match=re.escape(says)):
        signing.verify(HOSTILE / "model", keys, signature_path=HOSTILE / f"{name}.sig")


def nopickle(*arguments):
    """Run the command."""
    command = [sys.executable, "-m", "nopickle", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def by_policy(pair, model, folder):
    """The keys of a policy verify what they signed; a policy without one answers nothing."""
    policy = folder / "policy.toml"
    for text, status, says in (
        (f"[[keys]]\npath = '{pair[1]}'\n", 0, f", that of {policy}:2\n"),
        (f"[[keys]]\npath = '{pair[1]}'\nuntil = 2020-01-01\n", 2, "no key that holds today"),
        ("", 2, "it has no key"),
        ("[[keys]]\npath = 'nothing'\n", 2, "a key can't be read"),
    ):
        policy.write_text(text)
        found = nopickle("verify", model, "--policy", policy)
        assert found.returncode == status, found.stderr
        assert says in (found.stderr if status else found.stdout), found
        document = json.loads(nopickle("verify", model, "--policy", policy, "--json").stdout)
        assert document["answer"] == ("could not answer" if status else "verified")
        assert document.get("policy") == (None if status else f"{policy}:2")
    pem = public(ec.generate_private_key(ec.SECP256R1())).decode()
    policy.write_text(f"[[keys]]\npem = '''{pem}'''\n")
    found = nopickle("verify", model, "--policy", policy)
    assert found.returncode == 1
    assert "the signature is of another key" in found.stderr


def test_the_command_answers_by_its_exit_status(pair, model, tmp_path):
    unsigned = nopickle("verify", model, "--key", pair[1])
    assert (unsigned.returncode, unsigned.stdout) == (1, "")
    assert "  model.sig: the model is not signed\nhint: " in unsigned.stderr
    done = nopickle("sign", model, "--key", pair[0])
    assert (done.returncode, done.stdout) == (0, f"{model}/model.sig\n")
    assert done.stderr.startswith(f"{model}: 5 files signed by key ")
    found = nopickle("verify", model, "--key", pair[1])
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith(f"{model}: verified: 5 files signed by key ")
    document = json.loads(nopickle("verify", model, "--key", pair[1], "--json").stdout)
    assert document["answer"] == "verified"
    assert sorted(document["files"]) == sorted(FILES)
    by_policy(pair, model, tmp_path)
    (model / "code-x").unlink()
    (model / "\x1b[2J").write_bytes(b"")
    refused = nopickle("verify", model, "--key", pair[1])
    assert refused.returncode == 1
    assert "\x1b" not in refused.stderr
    (model / "\x1b[2J").unlink()
    refused = nopickle("verify", model, "--key", pair[1], "--json")
    document = json.loads(refused.stdout)
    assert (refused.returncode, document["answer"]) == (1, "refused")
    assert [(reason["file"], reason["kind"]) for reason in document["reasons"]] == [
        ("code-x", "missing")
    ]
    for arguments in (
        ("verify", tmp_path / "nothing", "--key", pair[1]),
        ("verify", model, "--key", tmp_path / "nothing"),
        ("verify", model),
        ("verify", model, "--policy", tmp_path / "nothing"),
        ("verify", model, "--key", pair[1], "--policy", tmp_path / "policy.toml"),
        ("sign", model, "--key", pair[1]),
    ):
        assert nopickle(*arguments).returncode == 2, arguments
