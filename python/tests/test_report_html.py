"""`--html`: pages that need nothing else, show a model's text as text, and are read on a phone and by keyboard."""

import base64
import hashlib
import html.parser
import io
import json
import re
import shutil
import zipfile
from pathlib import Path

import browser
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nopickle import _rust, skops

ROOT = Path(__file__).parents[2]
CASES = ROOT / "cases" / "hostile"

MARKUP = (
    "</style><script>document.title='x'</script><img src=//example.com/x onerror=alert(2)> ' \" "
    "&amp; <!-- ]]> <a href=javascript:alert(1)>a</a> \u202e right to left \0 end"
)

chromium = pytest.mark.skipif(
    browser.executable() is None, reason="no Chromium is installed: the page was not rendered"
)


def page_of(tmp_path, *args):
    """The text of a report, and the exit status."""
    path = tmp_path / "page.html"
    status = _rust.cli([*map(str, args), "--html", "--output", str(path)])
    return path, status


def hostile_model(path):
    """A model whose names, strings and dict keys are markup."""
    model = {"steps": [MARKUP, {MARKUP: 1}], "estimator": StandardScaler()}
    document = json.loads(zipfile.ZipFile(io.BytesIO(skops.dumps(model))).read("schema.json"))

    def walk(node):
        if isinstance(node, dict):
            if node.get("__class__") == "StandardScaler":
                node["__module__"], node["__class__"] = "<script>.<img>." + "long_" * 60, "<svg>"
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", json.dumps(document))
    return path


class Outline(html.parser.HTMLParser):
    """The tags, attributes and visible text of a page."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.open, self.text, self.ids = [], [], [], "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, *attribute) for attribute in attributes]
        self.ids += [value for name, value in attributes if name == "id"]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


@pytest.fixture
def models(tmp_path):
    """Models of each kind of answer, by name."""
    folder = tmp_path / "models"
    folder.mkdir()
    inputs, answers = load_iris(return_X_y=True)
    skops.dump(
        make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs, answers),
        folder / "clean.skops",
    )
    skops.dump(RandomForestClassifier(100).fit(inputs, answers), folder / "large.skops")
    (folder / "refused.skops").write_bytes((CASES / "tree/child_past_end.skops").read_bytes())
    (folder / "damaged.skops").write_bytes(b"PK")
    hostile_model(folder / "markup.skops")
    # Model folders: a clean one, and one whose files, names and texts are markup.
    shutil.copytree(ROOT / "cases/models/mlflow_3.17.2_pipeline_skops/model", folder / "mlflow")
    sly = folder / "sly"
    shutil.copytree(folder / "mlflow", sly)
    hostile_model(sly / "model.skops")
    (sly / "<img src=x onerror=alert(1)>.py").write_text("import os\n")
    (sly / "weights.bin").write_bytes(b"\1\2")
    (sly / f"{'long_' * 40}.pkl").write_bytes(b"\x80\x04N.")
    return folder


def model(folder, name):
    """The path of a model: a folder, or a file of skops."""
    return folder / name if (folder / name).is_dir() else folder / f"{name}.skops"


NAMES = ("clean", "large", "refused", "damaged", "markup", "mlflow", "sly")


def test_the_policy_names_the_digest_of_the_style(tmp_path, models):
    path, _ = page_of(tmp_path, "inspect", models / "clean.skops")
    text = path.read_text()
    style = re.search("<style>(.*?)</style>", text, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("asked", ["inspect", "audit"])
def test_a_page_is_well_formed_and_names_nothing_outside(tmp_path, models, asked, name):
    path, status = page_of(tmp_path, asked, model(models, name))
    text = path.read_text()
    page = Outline(text)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    allowed = {
        *("html", "head", "meta", "title", "style", "body", "a", "header", "h1", "div", "p"),
        *("strong", "main", "section", "h2", "h3", "ol", "ul", "li", "dl", "dt", "dd", "code"),
        *("span", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "footer"),
    }
    assert set(page.tags) <= allowed
    assert {name for _, name, _ in page.attributes} <= {
        *("aria-labelledby", "charset", "class", "content", "href", "http-equiv", "id", "lang"),
        *("name", "open", "scope", "tabindex"),
    }
    links = [value for _, attribute, value in page.attributes if attribute == "href"]
    assert links
    assert all(link[:1] == "#" and link[1:] in page.ids for link in links)
    labels = [value for _, attribute, value in page.attributes if attribute == "aria-labelledby"]
    assert set(labels) <= set(page.ids)
    assert page.tags.count("h1") == page.tags.count("main") == 1
    words = {0: "trusted and verified", 1: "refused", 2: "could not answer"}[status]
    assert words in page.text
    assert ("findings" in page.ids) == (status != 0)
    if "findings" in page.ids:
        assert next(id for id in page.ids if id in ("findings", "file", "models")) == "findings"


def test_text_of_a_model_is_shown_as_text(tmp_path, models):
    path, status = page_of(tmp_path, "inspect", models / "markup.skops", "--all")
    assert status == 1
    page = Outline(path.read_text())
    shown = MARKUP.replace("\u202e", "\\u{202e}").replace("\0", "\\u{0}").replace('"', '\\"')
    assert page.text.count(shown) == 2
    assert "<script>.<img>.long_" in page.text
    assert not set(page.tags) & {"script", "img", "svg"}


def test_a_name_of_a_file_is_shown_as_text(tmp_path, models):
    odd = tmp_path / "<b>'\"&.skops"
    odd.write_bytes((models / "refused.skops").read_bytes())
    for asked in ("inspect", "audit"):
        path, _ = page_of(tmp_path, asked, odd)
        assert odd.name in Outline(path.read_text()).text


@pytest.fixture(scope="module")
def chrome(tmp_path_factory):
    """A Chromium."""
    page = browser.Page(tmp_path_factory.mktemp("profile"))
    yield page
    page.close()


@chromium
@pytest.mark.parametrize("asked", ["inspect", "audit"])
@pytest.mark.parametrize("name", NAMES)
def test_a_page_fits_a_phone_and_asks_for_nothing(tmp_path, models, chrome, asked, name):
    path, _ = page_of(tmp_path, asked, model(models, name))
    for width in (390, 1280):
        for dark in (False, True):
            chrome.open(path, width, 844, dark)
            opened = "document.querySelectorAll('details').forEach(one => one.open = true)"
            chrome.evaluate(opened)
            assert chrome.evaluate("document.documentElement.scrollWidth") <= width
            assert chrome.requests() == [path.resolve().as_uri()]
            assert chrome.complaints() == []
            # The style applies: its digest is the one that the policy names.
            paper = chrome.evaluate("getComputedStyle(document.body).backgroundColor")
            assert paper == ("rgb(20, 23, 26)" if dark else "rgb(255, 255, 255)")


@chromium
def test_nothing_runs_even_where_markup_got_in(tmp_path, models, chrome):
    path, _ = page_of(tmp_path, "inspect", models / "refused.skops")
    harm = (
        "<script>document.title='ran'</script><img src=https://example.com/x onerror=\"document.title='ran'\">"
        "<p style='color:red' id=painted>x</p><iframe src=https://example.com></iframe>"
    )
    path.write_text(path.read_text().replace("<main>", f"<main>{harm}"))
    chrome.open(path, 390, 844)
    assert chrome.evaluate("document.title") != "ran"
    assert chrome.evaluate("getComputedStyle(painted).color") != "rgb(255, 0, 0)"
    assert len(chrome.complaints()) >= 3


@chromium
def test_a_page_is_used_by_keyboard(tmp_path, models, chrome):
    path, _ = page_of(tmp_path, "inspect", models / "refused.skops")
    chrome.open(path, 1280, 900)
    where = (
        "document.activeElement.tagName + ' ' + (document.activeElement.getAttribute('href') || '')"
    )
    chrome.press("Tab")
    assert chrome.evaluate(where) == "A #objects"
    visible = "document.activeElement.getBoundingClientRect().left >= 0"
    assert chrome.evaluate(visible)
    chrome.press("Tab")
    link = chrome.evaluate(where)
    assert link.startswith("A #byte-")
    chrome.press("Enter")
    there = chrome.evaluate("document.querySelector(':target').getBoundingClientRect().top")
    assert 0 <= there < 900
    # Then each object that holds others, from the top of the page to its end.
    chrome.open(path, 1280, 900)
    count = chrome.evaluate("document.querySelectorAll('a[href], summary').length")
    tops = []
    for _ in range(count):
        chrome.press("Tab")
        tops.append(chrome.evaluate("document.activeElement.getBoundingClientRect().top + scrollY"))
    assert tops[1:] == sorted(tops[1:])
    assert chrome.evaluate("document.activeElement.tagName") == "SUMMARY"
    before = chrome.evaluate("document.activeElement.parentElement.open")
    chrome.press("Enter")
    assert chrome.evaluate("document.activeElement.parentElement.open") != before
