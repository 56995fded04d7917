"""BranchTree in JupyterLab: every branch can be forked by keyboard alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

HEAD = (
    "from labkit.widgets import BranchTree\n"
    "from tests.support.benches import TwoWays, word\n"
)


def test_a_rejected_candidate_is_taken_by_keyboard(notebook) -> None:
    book = notebook(HEAD, "tree = BranchTree(TwoWays(), word)\ntree")
    tree = book.widget("branches")
    tree.get_by_role("option").first.focus()
    book.page.keyboard.press("ArrowRight")
    expect(tree.locator("output")).to_contain_text("token 2: ⏎ with 60.0 %")
    book.page.keyboard.press("Tab")
    expect(tree.get_by_role("button", name="Go on with 3")).to_be_focused()
    book.page.keyboard.press("Enter")
    expect(tree.locator(".lab-title")).to_contain_text("2 branches filled 3 blocks")
    lane = tree.get_by_role("listbox", name="Tokens of branch B")
    expect(lane.get_by_role("option").first).to_be_focused()
    shared = tree.get_by_role("listitem", name="block 7, shared with the parent")
    expect(shared).to_have_count(1)
    book.check()


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_a_branch_above_others_is_forked_by_keyboard(notebook, key) -> None:
    book = notebook(
        HEAD, "tree = BranchTree(TwoWays(), word)\ntree.fork('b1', 1, 4)\ntree"
    )
    tree, press = book.widget("branches"), book.page.keyboard.press
    head = tree.locator(".lab-candidates .lab-subtitle")
    first = tree.get_by_role("listbox", name="Tokens of branch A").get_by_role("option")
    first.first.focus()
    press("ArrowRight")
    press("ArrowRight")
    press(key)
    go_on = tree.get_by_role("button", name="Go on with")
    expect(go_on.first).to_be_focused()
    expect(head).to_contain_text("Branch A, token 3")
    press("Escape")
    expect(first.nth(2)).to_be_focused()
    press(key)
    press("Tab")
    expect(go_on.nth(1)).to_be_focused()
    press("Enter")
    third = tree.get_by_role("listbox", name="Tokens of branch C")
    expect(third.get_by_role("option").first).to_be_focused()
    expect(tree.locator(".lab-branch-head", has_text="A at token 3")).to_have_count(1)
    place = first.nth(2).bounding_box()
    assert place is not None
    expect(third.get_by_role("option").first).to_be_in_viewport()
    below = third.get_by_role("option").first.bounding_box()
    assert below is not None
    assert below["x"] == place["x"]  # it begins under the token that it leaves
    assert below["y"] > place["y"]
    book.check()


def test_tab_from_a_token_leads_to_the_next_branch(notebook) -> None:
    book = notebook(
        HEAD, "tree = BranchTree(TwoWays(), word)\ntree.fork('b1', 1, 4)\ntree"
    )
    tree = book.widget("branches")
    head = tree.locator(".lab-candidates .lab-subtitle")
    tree.get_by_role("option").first.focus()
    expect(head).to_contain_text("Branch A, token 1")
    book.page.keyboard.press("Tab")
    expect(head).to_contain_text("Branch B, token 2")
    book.page.keyboard.press("Tab")
    expect(tree.get_by_role("button", name="is branch A")).to_be_focused()
    book.check()


def test_a_refused_fork_gives_the_focus_back(notebook) -> None:
    full = "tree = BranchTree(TwoWays(), word)\n"
    full += "last = tree.branches[0]\nfor _ in range(11):\n"
    full += "    last = tree.fork(last.name, last.start + 1,"
    full += " last.tokens[1].top[1][0])\ntree"
    book = notebook(HEAD, full)
    tree = book.widget("branches")
    tree.get_by_role("option").first.focus()
    book.page.keyboard.press("Enter")
    book.page.keyboard.press("Enter")
    expect(tree.locator(".lab-note")).to_contain_text("are enough")
    expect(tree.get_by_role("button", name="Go on with").first).to_be_focused()
    book.check()


def test_a_taken_candidate_leads_to_its_branch_which_can_be_removed(notebook) -> None:
    book = notebook(
        HEAD, "tree = BranchTree(TwoWays(), word)\ntree.fork('b1', 1, 4)\ntree"
    )
    tree, press = book.widget("branches"), book.page.keyboard.press
    answer = tree.get_by_role("listbox", name="Tokens of branch A").get_by_role(
        "option"
    )
    answer.first.focus()
    press("ArrowRight")
    press("Enter")
    taken = tree.get_by_role("button", name="is branch B: go to it")
    expect(taken).to_be_focused()
    press("Enter")
    branch = tree.get_by_role("listbox", name="Tokens of branch B")
    expect(branch.get_by_role("option").first).to_be_focused()
    tree.get_by_role("button", name="Remove branch B").press("Enter")
    expect(branch).to_have_count(0)
    expect(answer.nth(1)).to_be_focused()
    expect(tree.locator(".lab-title")).to_contain_text("One answer")
    expect(tree.get_by_role("button", name="Remove")).to_have_count(0)
    book.check()
