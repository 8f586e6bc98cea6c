# SPDX-License-Identifier: GPL-2.0-only
"""The shelf."""

from collections.abc import Callable
from pathlib import Path

import pytest

from patchbench.model import Json
from patchbench.store import Store, key, write_whole

MADE_OF: dict[str, Json] = {"tree": "abc", "fixed": {"user": "us"}}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "shelf")


def writes(folder: Path, text: str) -> None:
    (folder / "Image").write_text(text)


def shelve(store: Store, text: str = "bytes") -> Path:
    with store.publish("images", MADE_OF) as folder:
        writes(folder, text)
    return store.entry("images", MADE_OF)


def test_the_key_does_not_depend_on_the_order_of_ingredients() -> None:
    assert key({"a": 1, "b": 2}) == key({"b": 2, "a": 1})


def test_what_is_published_is_found_again(store: Store) -> None:
    folder = shelve(store)
    assert store.get("images", MADE_OF) == folder
    assert (folder / "Image").read_text() == "bytes"


def test_what_breaks_off_half_way_is_not_on_the_shelf(store: Store) -> None:
    def break_off() -> None:
        with store.publish("images", MADE_OF) as folder:
            (folder / "Image").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert store.get("images", MADE_OF) is None
    assert not list(store.root.glob("images/*"))


def test_a_file_changed_by_hand_is_as_good_as_absent(store: Store) -> None:
    (shelve(store) / "Image").write_text("other")
    assert store.get("images", MADE_OF) is None


def test_a_damaged_entry_is_replaced(store: Store) -> None:
    (shelve(store) / "Image").unlink()
    shelve(store, "new")
    assert store.get("images", MADE_OF) is not None


def empty(note: Path) -> None:
    note.write_text("")


def null(note: Path) -> None:
    note.write_text("null")


def empty_object(note: Path) -> None:
    note.write_text("{}")


def deep(note: Path) -> None:
    note.write_text("[" * 100_000)


def binary(note: Path) -> None:
    note.write_bytes(b"\xff\xfe")


def huge_number(note: Path) -> None:
    note.write_text("9" * 5000)


def numbers(note: Path) -> None:
    note.write_text('{"Image": 5}')


def folder(note: Path) -> None:
    note.unlink()
    note.mkdir()


@pytest.mark.parametrize(
    "damage", [empty, null, empty_object, deep, binary, huge_number, numbers, folder]
)
@pytest.mark.parametrize("note", ["sums.json", "ingredients.json"])
def test_an_entry_with_a_damaged_note_is_absent_and_made_again(
    store: Store, note: str, damage: Callable[[Path], None]
) -> None:
    damage(shelve(store) / note)
    assert store.get("images", MADE_OF) is None
    assert store.explain("images", {"tree": "other"})
    made = store.ensure("images", MADE_OF, lambda new: writes(new, "again"))
    assert (made / "Image").read_text() == "again"
    assert store.get("images", MADE_OF) == made


def test_an_entry_under_another_s_key_is_absent(store: Store) -> None:
    other: dict[str, Json] = {"tree": "other"}
    shelve(store).rename(store.entry("images", other))
    assert store.get("images", other) is None


def test_an_entry_with_a_file_too_many_or_a_link_is_absent(store: Store) -> None:
    entry = shelve(store)
    (entry / "more").write_text("x")
    assert store.get("images", MADE_OF) is None
    (entry / "more").unlink()
    assert store.get("images", MADE_OF) == entry
    (entry / "Image").rename(entry.parent / "elsewhere")
    (entry / "Image").symlink_to(entry.parent / "elsewhere")
    assert store.get("images", MADE_OF) is None


def test_what_is_shelved_is_not_made_again(store: Store) -> None:
    folder = shelve(store, "first")
    assert store.ensure("images", MADE_OF, lambda new: writes(new, "second")) == folder
    assert (folder / "Image").read_text() == "first"


def test_explain_names_the_ingredient_that_differs_from_the_nearest(store: Store) -> None:
    shelve(store)
    assert store.explain("images", {**MADE_OF, "tree": "abd"}) == ("tree",)
    assert store.explain("images", {**MADE_OF, "fixed": {"user": "them"}}) == ("fixed.user",)
    assert store.explain("images", MADE_OF) == ()


def test_explain_of_an_empty_shelf_says_that_it_is_empty(store: Store) -> None:
    assert store.explain("images", MADE_OF) == ("nothing of this kind is shelved",)


def test_prune_takes_what_a_killed_run_left(store: Store) -> None:
    folder = shelve(store)
    (folder.parent / ".new-left").mkdir()
    assert store.prune() == 1
    assert store.get("images", MADE_OF) == folder


def test_a_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "note"
    write_whole(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
