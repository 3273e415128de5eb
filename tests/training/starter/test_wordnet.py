"""WordNet's noun file as synsets and their ancestors."""

from __future__ import annotations

from training.starter.wordnet import Synset, ancestors, parse_synset

LINE = (
    "02084071 05 n 03 dog 0 domestic_dog 0 Canis_familiaris 0 002 @ 02083346 n 0000 "
    '#m 02083863 n 0000 | a member of the genus Canis; "the dog barked"  '
)


def test_a_synset_has_its_words_hypernyms_and_gloss() -> None:
    """A line of data.noun gives words with spaces, hypernyms alone, and no example."""
    offset, synset = parse_synset(LINE)

    assert offset == 2084071
    assert synset == Synset(
        lemmas=("dog", "domestic dog", "Canis familiaris"),
        hypernyms=(2083346,),
        gloss="a member of the genus Canis",
    )


def test_ancestors_come_nearest_first_and_once() -> None:
    """A synset reached over two ways counts once."""
    nouns = {
        1: Synset(("terrier",), (2, 3), ""),
        2: Synset(("dog",), (4,), ""),
        3: Synset(("pet",), (4,), ""),
        4: Synset(("animal",), (), ""),
    }

    assert ancestors(nouns, 1) == [2, 3, 4]
