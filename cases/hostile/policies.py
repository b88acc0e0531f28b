"""Writes ``cases/hostile/policy``: policy files that break one rule each, and what their errors say.

    python cases/hostile/policies.py

Each error names the place as ``line:column``.
"""

from __future__ import annotations

import pathlib

FOLDER = pathlib.Path(__file__).parent / "policy"

TYPE = b'[[types]]\nname = "mine.Scaler"\n'
DIGEST = b'[[digests]]\nsha256 = "' + b"ab" * 32 + b'"\n'
PEM = b'pem = """\n-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"""\n'

# name -> the bytes of the file, the place, what the error says
CASES: dict[str, tuple[bytes, str, str]] = {
    "bom_and_no_key": (b"\xef\xbb\xbfx", "1:", ""),
    "code_of_another_word": (b'code = "ask"\n', "1:8", "unknown variant `ask`"),
    "convert": (
        b'pickle = "convert"\n',
        "1:10",
        'pickle = "convert" is not supported by this version',
    ),
    "date_as_text": (TYPE + b'until = "2027-01-01"\n', "3:9", "invalid type"),
    "date_that_is_none": (TYPE + b"until = 2027-02-30\n", "3:", ""),
    "date_with_a_time": (
        TYPE + b"until = 2027-01-01T10:00:00\n",
        "3:9",
        "until is not a date such as 2027-12-31",
    ),
    "digest_of_another_length": (
        b'[[digests]]\nsha256 = "abcd"\n',
        "2:10",
        "sha256 is not 64 hexadecimal digits",
    ),
    "digest_of_other_letters": (
        b'[[digests]]\nsha256 = "' + b"g" * 64 + b'"\n',
        "2:10",
        "sha256 is not 64 hexadecimal digits",
    ),
    "digest_that_is_absolute": (DIGEST + b'path = "/etc/passwd"\n', "3:8", "a path is absolute"),
    "digest_that_leaves": (DIGEST + b'path = "../model"\n', "3:8", "a path leaves its folder"),
    "extend_as_text": (b'extend = "true"\n', "1:10", "invalid type"),
    "function_with_a_role": (
        b'[[functions]]\nname = "mine.f"\nrole = "call"\n',
        "3:1",
        "unknown field `role`",
    ),
    "key_in_two_ways": (
        b'[[keys]]\npath = "a.pem"\n' + PEM,
        "1:1",
        "a key has one of path and pem",
    ),
    "key_that_is_missing": (b'[[keys]]\npath = "none.pem"\n', "2:8", "a key can't be read"),
    "key_that_is_no_pem": (b'[[keys]]\npem = "AAAA"\n', "2:7", "a key is not a public key in PEM"),
    "key_that_is_private": (
        b'[[keys]]\npem = "-----BEGIN PRIVATE KEY-----"\n',
        "2:7",
        "a key is a private one",
    ),
    "key_twice": (b'pickle = "deny"\npickle = "allow"\n', "2:1", "duplicate key"),
    "key_unknown": (b'pikcle = "deny"\n', "1:1", "unknown field `pikcle`"),
    "key_unknown_in_an_entry": (TYPE + b'because = "ours"\n', "3:1", "unknown field `because`"),
    "key_without_any": (b"[[keys]]\n", "1:1", "a key has one of path and pem"),
    "limit_below_zero": (b"[limits]\nnodes = -1\n", "2:9", "invalid value"),
    "limit_unknown": (b"[limits]\nseconds = 1\n", "2:1", "unknown field `seconds`"),
    "limit_with_a_unit": (b'[limits]\nnodes = "8G"\n', "2:9", "invalid type"),
    "name_missing": (b'[[types]]\nreason = "ours"\n', "1:1", "missing field `name`"),
    "name_twice": (TYPE + TYPE, "4:8", "a name stands twice"),
    "name_with_a_space": (
        b'[[types]]\nname = "mine. Scaler"\n',
        "2:8",
        "a name is a module and a class or function",
    ),
    "name_with_a_wildcard": (b'[[types]]\nname = "mine.*"\n', "2:8", "a name has no wildcard"),
    "name_without_a_module": (
        b'[[types]]\nname = "Scaler"\n',
        "2:8",
        "a name is a module and a class or function",
    ),
    "nested": (b"limits = " + b"[" * 5000 + b"]" * 5000, "1:", ""),
    "no_utf8": (b'pickle = "deny"\n# \xff\n', "", "it is not UTF-8"),
    "pickle_in_capitals": (b'pickle = "DENY"\n', "1:10", "unknown variant `DENY`"),
    "pickle_without_a_value": (b"pickle =\n", "1:", ""),
    "role_unknown": (TYPE + b'role = "all"\n', "3:8", "unknown variant `all`"),
    "types_as_a_table": (b'[types]\nname = "mine.Scaler"\n', "1:1", "invalid type"),
    "unclosed": (b'[[types]]\nname = "mine.Scaler\n', "2:", ""),
    "yaml": (b"pickle: deny\n", "1:", ""),
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.toml"):
        old.unlink()
    lines = ["# Written by policies.py: file = { at = line and column, says = words of the error }"]
    for name, (text, at, says) in sorted(CASES.items()):
        (FOLDER / f"{name}.toml").write_bytes(text)
        words = says.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'"{name}.toml" = {{ at = "{at}", says = "{words}" }}')
    (FOLDER / "expected.toml").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
