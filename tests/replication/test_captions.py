import re
from pathlib import Path

import pytest
from docutils.utils import SystemMessage

from replication.pipeline.captions import read_caption


def test_a_caption_has_a_title_a_text_and_a_table() -> None:
    source = '**Fig <1>.** Text & more.\n\n.. csv-table:: Drawn\n   :header: a, b\n\n   "x, y", 2\n'
    caption = read_caption(source)
    assert caption.title == "Fig <1>"
    assert "Text &amp; more" in caption.text
    assert "<table" not in caption.text
    assert re.findall(r"<td><p>(.*?)</p></td>", caption.drawn) == ["x, y", "2"]


@pytest.mark.parametrize(
    "source", [".. include:: /etc/passwd", ".. raw:: html\n\n   <script>", "*open", ".. nope:: x"]
)
def test_a_caption_reads_no_file_and_has_no_fault(source: str) -> None:
    with pytest.raises(SystemMessage):
        read_caption(source)


def test_settings_of_the_users_do_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "**A.** b\n\n.. csv-table::\n\n   1, 2\n"
    before = read_caption(source)
    monkeypatch.chdir(tmp_path)
    Path("docutils.conf").write_text("[html writers]\ntable_style: borderless\n")
    assert read_caption(source) == before
