"""The theme: found, overridden, its assets named by their content, its colours readable."""

from __future__ import annotations

import re

import pytest

from runner.render.theme import Theme, ThemeError, theme_folder

pytestmark = pytest.mark.whole

CSS = (theme_folder() / "assets" / "ishtar.css").read_text()


def variables(css: str) -> dict[str, str]:
    """Return the colour variables that a piece of the style sets."""
    return dict(re.findall(r"--([a-z0-9-]+):\s*(#[0-9a-f]{6})", css))


def luminance(color: str) -> float:
    """Return the relative luminance of a colour, as WCAG 2 defines it."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    """Return the contrast ratio of two colours."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


LIGHT = variables(CSS.split("@media (prefers-color-scheme: dark)")[0])
DARK = LIGHT | variables(CSS.split("@media (prefers-color-scheme: dark)")[1])


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_all_text_has_the_contrast_that_wcag_asks_for(colors):
    inks = ["ink", "ink-2", "accent", "ok", "failed", "timeout", "stale", "skipped"]
    pairs = [(ink, on) for ink in inks for on in ("paper", "sheet", "well")]
    pairs += [
        (f"c-{c}", "well") for c in ("red", "green", "yellow", "blue", "magenta", "cyan", "grey")
    ]
    pairs += [("ink", f"{s}-soft") for s in ("accent", "failed", "stale", "skipped")]
    pairs += [("failed", "failed-soft"), ("accent", "failed-soft"), ("ink-2", "failed-soft")]
    pairs += [("accent", "accent-soft"), ("ink", "level-1"), ("level-dark-ink", "level-4")]
    low = {f"{a} on {b}": round(contrast(colors[a], colors[b]), 2) for a, b in pairs}
    assert not {k: v for k, v in low.items() if v < 4.5}


def test_a_workspace_wins_over_the_packaged_theme(tmp_path):
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "404.html").write_text("ours")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "zz-branding.css").write_text("body { color: red }")
    theme = Theme.load(tmp_path)
    assert theme.file("pages/404.html").read_text() == "ours"
    assert theme.file("pages/home.html").parent == theme_folder() / "pages"
    assert list(theme.assets)[-1] == "zz-branding.css"
    assert theme.environment.get_template("pages/404.html").render() == "ours"


def test_an_asset_is_named_by_its_content(tmp_path):
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "ishtar.css").write_text("one")
    first = Theme.load(tmp_path).asset_names["ishtar.css"]
    (tmp_path / "assets" / "ishtar.css").write_text("two")
    second = Theme.load(tmp_path).asset_names["ishtar.css"]
    assert first != second
    assert re.fullmatch(r"ishtar\.[0-9a-f]{10}\.css", first)


def test_our_scripts_and_styles_are_published_without_comments_others_as_they_are(tmp_path):
    (tmp_path / "assets").mkdir()
    own = "/* ours */\nbody  { color: red }\n"
    (tmp_path / "assets" / "zz-branding.css").write_text(own)
    theme = Theme.load(tmp_path)
    contents = {name: content.decode() for name, content in theme.contents.items()}
    assert contents["zz-branding.css"] == own
    assert contents["mark.svg"] == (theme_folder() / "assets" / "mark.svg").read_text()
    for name in ("ishtar.css", "numbers.js", "query.js"):
        written = (theme_folder() / "assets" / name).read_text()
        assert len(contents[name]) < 0.95 * len(written)
        assert not re.search(r"^\s*(// |/\*)", contents[name], re.M)


def test_a_missing_part_is_an_error_that_names_it():
    with pytest.raises(ThemeError, match=r"pages/nothing\.html"):
        Theme.load().file("pages/nothing.html")


def test_the_style_asks_for_nothing_elsewhere():
    assert "url(" not in CSS
    assert "@import" not in CSS
    assert "http" not in CSS
