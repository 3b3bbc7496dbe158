import json

from tests.unit.ci.preview.plans import change, comment, preview


def lines_of(*changes):
    """The attributes of the first change: path, before, after."""
    found = preview(*changes).stacks[0].changes[0]
    return [(item.path, item.before, item.after) for item in found.attributes]


def update(before, after, **more):
    return change("google_thing.x", "update", before, after, **more)


def test_only_what_differs_is_shown_by_its_path():
    before = {"a": 1, "block": [{"b": {"c": "x", "d": True}}], "same": "s"}
    after = {"a": 2, "block": [{"b": {"c": "y", "d": True}}], "same": "s"}
    assert lines_of(update(before, after)) == [("a", "1", "2"), ("block.b.c", '"x"', '"y"')]


def test_one_and_true_differ():
    assert lines_of(update({"a": 1}, {"a": True})) == [("a", "1", "true")]


def test_an_element_put_in_front_of_a_list_is_one_line():
    before, after = {"l": ["b", "c", "d"]}, {"l": ["a", "b", "c", "d"]}
    assert lines_of(update(before, after)) == [("l[0]", None, '"a"')]


def test_an_element_changed_in_a_list_of_blocks_shows_what_changes_in_it():
    before = {"rule": [{"p": 1, "q": "x"}, {"p": 2, "q": "y"}]}
    after = {"rule": [{"p": 1, "q": "x"}, {"p": 3, "q": "y"}]}
    assert lines_of(update(before, after)) == [("rule[1].p", "2", "3")]


def test_json_texts_are_compared_inside():
    before = {"body": json.dumps({"steps": [{"name": "a", "size": 1}], "keep": 1})}
    after = {"body": json.dumps({"steps": [{"name": "a", "size": 2}], "keep": 1}, indent=2)}
    assert lines_of(update(before, after)) == [("body ▸ .steps.size", "1", "2")]


def test_yaml_texts_are_compared_inside():
    assert lines_of(update({"y": "a: 1\nb: [1, 2]\n"}, {"y": "a: 1\nb: [1, 3]\n"})) == [("y ▸ .b[1]", '"2"', '"3"')]


def test_yaml_with_aliases_is_compared_as_text():
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"
    found = preview(update({"y": bomb}, {"y": bomb + "d: 1\n"})).stacks[0].changes[0].attributes
    assert "+d: 1" in found[0].lines


def test_a_document_that_is_only_formatted_anew_says_so():
    found = preview(update({"y": '{"a": 1}'}, {"y": '{"a":1}'})).stacks[0].changes[0].attributes
    assert found[0].lines == ("(only its formatting changes)",)


def test_texts_of_several_lines_show_their_changed_lines():
    found = preview(update({"t": "one\ntwo\nthree\n"}, {"t": "one\n2\nthree\n"})).stacks[0].changes[0].attributes
    assert "-two" in found[0].lines
    assert "+2" in found[0].lines


def test_what_is_known_later_is_one_line_and_what_forces_is_first():
    entry = change(
        "google_thing.x",
        "replace",
        {"a": 1, "z": "old", "etag": "e"},
        {"a": 2, "z": "new"},
        unknown={"etag": True, "id": True},
        forces=[["z"]],
    )
    found = preview(entry).stacks[0].changes[0]
    assert [(item.path, item.forces) for item in found.attributes] == [("z", True), ("a", False)]
    assert found.known_later == ("etag", "id")


def test_a_forcing_value_that_is_known_later_stays_with_the_others():
    entry = change("google_thing.x", "replace", {"n": "a"}, {}, unknown={"n": True}, forces=[["n"]])
    assert preview(entry).losses[0].why == 'n "a" → (known after apply) forces replacement'


def test_empty_values_of_a_new_resource_are_left_out():
    entry = change("google_thing.x", "create", None, {"a": "v", "b": None, "c": "", "d": [], "e": {"f": None}, "g": 0})
    assert lines_of(entry) == [("a", None, '"v"'), ("g", None, "0")]


def test_copies_of_labels_are_shown_once():
    before = {"labels": {"a": "1"}, "effective_labels": {"a": "1"}, "terraform_labels": {"a": "1"}}
    after = {"labels": {"a": "2"}, "effective_labels": {"a": "2"}, "terraform_labels": {"a": "2"}}
    assert lines_of(update(before, after)) == [("labels.a", '"1"', '"2"')]


def test_default_labels_that_change_are_shown_all_the_same():
    before, after = ({"effective_labels": {"a": v}, "terraform_labels": {"a": v}, "labels": {}} for v in "12")
    assert lines_of(update(before, after)) == [("terraform_labels.a", '"1"', '"2"')]


def test_long_values_are_folded_with_their_length():
    entry = change("google_thing.x", "create", None, {"a": "x" * 5_000})
    ((_, _, after),) = lines_of(entry)
    assert after == f'"{"x" * 5_000}"'
    (line,) = (text for text in comment(entry).split("\n") if text.startswith("+   a"))
    assert len(line) < 200
    assert "5,002 characters" in line


def test_what_is_nested_out_of_measure_does_not_stop_it():
    deep: object = "end"
    for _ in range(300):
        deep = [deep]
    assert lines_of(update({"a": deep}, {"a": [deep]}))


def test_two_attributes_of_one_long_list_are_counted_not_shown():
    before = {"l": [f"a{i}" for i in range(300)]}
    after = {"l": [f"b{i}" for i in range(300)]}
    found = preview(update(before, after)).stacks[0].changes[0]
    assert len(found.attributes) == 300
    lines = comment(update(before, after)).split("\n")
    assert sum(line.startswith("!   l[") for line in lines) == 60
    assert "    … and 240 more attributes" in lines


def test_outputs_are_shown_with_their_name():
    found = preview(output_changes={"url": {"actions": ["update"], "before": "a", "after": "b"}}).stacks[0]
    assert [(item.path, item.before, item.after) for item in found.outputs] == [("url", '"a"', '"b"')]


def test_what_the_provider_had_filled_with_a_zero_is_no_change_of_a_replacement_at_any_depth():
    filled = {"location": "EU", "pool": [{"spot": False, "group": "", "size": 3}], "note": 0}
    entry = change("google_thing.x", "replace", filled, {"location": "US", "pool": [{}]}, forces=[["location"]])
    (shown,) = preview(entry).stacks[0].changes
    assert [item.path for item in shown.attributes] == ["location", "pool.size"]


def test_a_changed_value_is_shown_before_any_number_of_values_known_later():
    later = {f"a{index:03}": True for index in range(200)}
    entry = change("google_thing.x", "update", {**dict.fromkeys(later, "old"), "z": 1}, {"z": 2}, unknown=later)
    (shown,) = preview(entry).stacks[0].changes
    assert [item.path for item in shown.attributes] == ["z"]
