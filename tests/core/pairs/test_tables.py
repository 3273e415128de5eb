"""Rules of CSV and TSV."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.errors import PairsError
from core.pairs.pair import Pair
from core.pairs.reading import read_pairs
from core.pairs.tables import separator_of


def write(path: Path, text: str) -> Path:
    """Write text as it stands, without a change of line ends."""
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("header", "suffix", "separator"),
    [
        ("filepath\ttitle", ".csv", "\t"),
        ("image,caption", ".tsv", ","),
        ('"image,path";caption;year', ".csv", ";"),
        ("image_name| comment_number| comment", ".csv", "|"),
        ("image\tcaption, in English, or so", ".csv", "\t"),
        ("image", ".tsv", "\t"),
        ("image", ".csv", ","),
    ],
)
def test_the_separator_is_found(header: str, suffix: str, separator: str) -> None:
    """The one that finds an image column wins, then the one with most columns, then the suffix."""
    assert separator_of(header, suffix) == separator


def test_open_clips_table_needs_no_option(tmp_path: Path) -> None:
    """Section 2, item 8: ``filepath`` and ``title`` with commas in a .csv are read as they are."""
    table = write(tmp_path / "train.csv", "filepath,title\na.jpg,a cat\n")

    assert read_pairs(table) == [Pair("a.jpg", tmp_path / "a.jpg", ("a cat",))]


def test_rows_of_one_image_are_one_pair(tmp_path: Path) -> None:
    """Flickr's table: five rows an image become five captions, and what differs is dropped."""
    text = (
        "image_name| comment_number| comment\n"
        "a.jpg| 0| A dog .\na.jpg| 1| A brown dog .\nb.jpg| 0| A cat .\na.jpg| 2| A dog .\n"
    )

    assert read_pairs(write(tmp_path / "results.csv", text)) == [
        Pair("a.jpg", tmp_path / "a.jpg", ("A dog .", "A brown dog .")),
        Pair("b.jpg", tmp_path / "b.jpg", ("A cat .",), metadata={"comment_number": "0"}),
    ]


def test_rows_with_ids_stay_apart(tmp_path: Path) -> None:
    """Where ids are stated, every row is a pair of its own."""
    table = write(tmp_path / "a.csv", "ID,image,caption\n1,a.jpg,x\n2,a.jpg,y\n")

    assert [(pair.id, pair.captions) for pair in read_pairs(table)] == [
        ("1", ("x",)),
        ("2", ("y",)),
    ]


def test_one_image_with_two_labels_is_refused(tmp_path: Path) -> None:
    """Neither label is dropped silently."""
    table = write(tmp_path / "a.csv", "image,label\na.jpg,cat\na.jpg,dog\n")

    with pytest.raises(PairsError, match=r"a\.csv:3: the image 'a\.jpg' has the label 'dog'"):
        read_pairs(table)


def test_numbered_columns_are_captions(tmp_path: Path) -> None:
    """caption, caption_1, caption_2 ... in the order of their numbers; empty cells do not count."""
    header = "image,caption_10,caption_2,Caption 1,caption_count"
    table = write(tmp_path / "a.csv", f"{header}\na.jpg,ten,two,one,3\nb.jpg,,two,,1\n")

    pairs = read_pairs(table)

    assert [pair.captions for pair in pairs] == [("one", "two", "ten"), ("two",)]
    assert pairs[0].metadata == {"caption_count": "3"}


def test_several_caption_columns_may_be_named(tmp_path: Path) -> None:
    """A list with commas, in the order of the list."""
    table = write(tmp_path / "a.csv", "image,de,en\na.jpg,Hund,dog\n")

    assert read_pairs(table, caption_column="en, de")[0].captions == ("dog", "Hund")


@pytest.mark.parametrize("cell", ['"[""a"", ""b""]"', "\"['a', 'b']\""])
def test_a_list_in_a_cell_is_several_captions(tmp_path: Path, cell: str) -> None:
    """As JSON or as pandas writes it."""
    table = write(tmp_path / "a.csv", f"image,raw\na.jpg,{cell}\n")

    assert read_pairs(table)[0].captions == ("a", "b")


def test_text_that_only_looks_like_a_list_is_text(tmp_path: Path) -> None:
    """A caption may begin with a bracket."""
    table = write(tmp_path / "a.csv", "image,text\na.jpg,['sic] a dog\n")

    assert read_pairs(table)[0].captions == ("['sic] a dog",)


def test_windows_files_are_read(tmp_path: Path) -> None:
    """A byte order mark, CRLF, a quoted line break and a blank line."""
    text = '\ufeffimage;caption\r\nä ö.jpg;"two\r\nlines; quoted"\r\n\r\nb.jpg;日本の猫'

    assert read_pairs(write(tmp_path / "a.csv", text)) == [
        Pair("ä ö.jpg", tmp_path / "ä ö.jpg", ("two\r\nlines; quoted",)),
        Pair("b.jpg", tmp_path / "b.jpg", ("日本の猫",)),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a\.csv: no image column; .*found nothing"),
        ("\r\n \n", r"a\.csv: no image column; .*found nothing"),
        ("image,caption\n", r"a\.csv holds no images$"),
        ("image,year\na.jpg,1999\n", r"no caption column; .*found image, year; name it with --cap"),
        ("flepath,caption\na.jpg,x\n", "the nearest is 'flepath'; name it with --image-column"),
        ("a.jpg,a cat\nb.jpg,a dog\n", "the first line must name the columns"),
        ("url,caption\nhttp://x/a.jpg,x\n", "the column 'url' holds addresses.*img2dataset"),
        ("image,caption\nhttps://x/a.jpg,x\n", r"a\.csv:2: the image 'https://x/a\.jpg' is an add"),
        ("image,caption,caption\na,b,c\n", "the column 'caption' occurs twice"),
    ],
)
def test_an_unusable_table_says_why(tmp_path: Path, text: str, message: str) -> None:
    """Never a KeyError: what was looked for, what was found, and how to name it."""
    with pytest.raises(PairsError, match=message):
        read_pairs(write(tmp_path / "a.csv", text))


def test_a_column_that_was_asked_for_is_looked_up_without_case(tmp_path: Path) -> None:
    """A missing one is named with the nearest, as an option and as a setting."""
    table = write(tmp_path / "a.csv", "Photo File,Note\na.jpg,x\n")

    assert read_pairs(table, image_column="photo_file", caption_column="note")[0].captions == ("x",)
    with pytest.raises(
        PairsError, match=r"looked for fotofile, .*nearest is 'Photo File'.*data\.image_column"
    ):
        read_pairs(table, image_column="fotofile", caption_column="note")
    with pytest.raises(PairsError, match=r"no caption column; looked for titel,"):
        read_pairs(table, image_column="photo_file", caption_column="note,titel")


def test_bad_rows_are_skipped_and_named(tmp_path: Path) -> None:
    """A row without an image, and one whose caption holds the separator without quotes."""
    text = "image,caption\na.jpg,x\n,nothing\nc.jpg,red, round\nd.jpg\ne\0.jpg,y\n"

    pairs = read_pairs(write(tmp_path / "a.csv", text))

    assert [pair.id for pair in pairs] == ["a.jpg", "d.jpg"]
    assert pairs.skipped == {
        "a.csv:3": "the column 'image' is empty",
        "a.csv:4": "3 cells for 2 columns; put texts that hold the separator in quotes",
        "a.csv:6": "the path of the image holds a null character",
    }


def test_when_every_row_is_bad_the_first_reason_is_told(tmp_path: Path) -> None:
    """An empty list would hide it."""
    with pytest.raises(PairsError, match=r"holds no images; a\.csv:2: the column 'image' is empty"):
        read_pairs(write(tmp_path / "a.csv", "image,caption\n,x\n,y\n"))


def test_a_quotation_that_never_ends_is_named(tmp_path: Path) -> None:
    """It would swallow the rest of the table without a word."""
    text = 'image,caption\na.jpg,x\nb.jpg,"3 inch\nc.jpg,z\n'

    with pytest.raises(PairsError, match=r"a\.csv:3: a quotation mark in this line is never"):
        read_pairs(write(tmp_path / "a.csv", text))


def test_a_quotation_that_swallows_too_much_is_named(tmp_path: Path) -> None:
    """The parser's own limit of a cell is told with the line where it began."""
    rows = "".join(f"{number}.jpg,{'x' * 1000}\n" for number in range(200))

    with pytest.raises(PairsError, match=r"a\.csv:2: field larger than field limit"):
        read_pairs(write(tmp_path / "a.csv", f'image,caption\na.jpg,"3 inch\n{rows}'))


def test_a_table_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """Also where the bad byte stands far below the header."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"image,caption\n" + b"a.jpg,x\n" * 3000 + b"b.jpg,caf\xe9\n")

    with pytest.raises(PairsError, match=r"a\.csv is not UTF-8"):
        read_pairs(path)


def test_a_split_column_is_a_choice(tmp_path: Path) -> None:
    """``#name`` takes the rows of one split; without it all rows count."""
    text = "image,caption,split\na.jpg,x,train\nb.jpg,y,val\n"
    table = write(tmp_path / "a.csv", text)

    assert [pair.id for pair in read_pairs(Path(f"{table}#val"))] == ["b.jpg"]
    assert len(read_pairs(table)) == 2
    with pytest.raises(PairsError, match=r"has no split 'test'; it has train, val"):
        read_pairs(Path(f"{table}#test"))
    plain = write(tmp_path / "b.csv", "image,caption\na.jpg,x\n")
    with pytest.raises(PairsError, match="there is no column 'split'"):
        read_pairs(Path(f"{plain}#val"))


def test_images_may_start_from_another_folder(tmp_path: Path) -> None:
    """``image_root`` stands for the folder of the table; absolute paths stay."""
    table = write(tmp_path / "a.csv", "image,caption\na.jpg,x\n/b.jpg,y\n")

    images = [pair.image for pair in read_pairs(table, image_root=tmp_path / "pictures")]

    assert images == [tmp_path / "pictures" / "a.jpg", Path("/b.jpg")]


def test_a_class_column_counts_only_without_captions(tmp_path: Path) -> None:
    """Beside captions a ``category`` is metadata."""
    labels = write(tmp_path / "a.csv", "image,category\na.jpg,cat\n")
    captions = write(tmp_path / "b.csv", "image,caption,category\na.jpg,x,cat\n")

    assert read_pairs(labels)[0].label == "cat"
    assert read_pairs(captions) == [
        Pair("a.jpg", tmp_path / "a.jpg", ("x",), metadata={"category": "cat"})
    ]


_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(
    captions=st.lists(_TEXTS.map(str.strip).filter(bool), min_size=1, max_size=5),
    separator=st.sampled_from(",;|\t"),
)
def test_what_a_csv_writer_wrote_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, captions: list[str], separator: str
) -> None:
    """Quotes, separators, line breaks and any letter in a caption survive."""
    assume(not any(caption.startswith(("['", '["')) for caption in captions))
    table = tmp_path_factory.mktemp("table") / "a.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerow(["image", "caption"])
        writer.writerows([f"{number}.jpg", caption] for number, caption in enumerate(captions))

    assert [pair.captions for pair in read_pairs(table)] == [(caption,) for caption in captions]
