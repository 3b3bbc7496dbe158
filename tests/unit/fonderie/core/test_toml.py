"""What is said of a wrong file: one wording for models, environments, waivers and prices."""

from enum import StrEnum
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from fonderie.core.errors import BadInputError
from fonderie.core.toml import checked, read_toml


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Wheel(Section):
    size: int = Field(gt=0)
    colour: Colour = Colour.RED


class Car(Section):
    seats: int = Field(default=4, le=9)
    labels: dict[str, str] = {}
    wheel: tuple[Wheel, ...] | None = None
    spare: Wheel | None = None

    @model_validator(mode="after")
    def _seated(self):
        if self.seats == 3:
            raise ValueError("seats = 3 tips over")
        return self


TEXT = """# a car
seats = 4
note = '''
spare = 1
'''

[labels]
"a.b" = "x"

[[wheel]]
size = 1
[[wheel]]
size = 2
colour = "red"

[spare]
size = 3
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "what", "hint"),
    [
        ("seats = 4", "seats = 10", 2, "seats = 10: input should be less than or equal to 9", "ask"),
        ("seats = 4", "seets = 4", 2, "seets: unknown key", "did you mean seats?"),
        ("seats = 4", "x = 4", 2, "x: unknown key", "known: labels, seats, spare, wheel"),
        ("seats = 4", "seats = 3", None, "seats = 3 tips over", "ask"),
        ("size = 2", "size = 0", 13, "wheel[1].size = 0: input should be greater than 0", "ask"),
        ("size = 2", "", 12, "wheel[1].size: missing", "ask"),
        ("size = 2", "size = 2\nsice = 2", 14, "wheel[1].sice: unknown key", "did you mean size?"),
        ('"red"', '"gren"', 14, 'wheel[1].colour = "gren": unknown value', "did you mean green?"),
        ('"red"', '"blue"', 14, 'wheel[1].colour = "blue": unknown value', "known: green, red"),
        ("size = 3", 'size = "3"', 17, 'spare.size = "3": input should be a valid integer', "ask"),
        ("[spare]\nsize = 3", "spare = 3", 16, "wheel[1].spare: unknown key", "known: colour, size"),
    ],
)
def test_a_mistake_is_named_with_line_key_value_and_what_would_do(
    tmp_path: Path, old: str, new: str, line: int | None, what: str, hint: str
) -> None:
    path = tmp_path / "car.toml"
    text = TEXT.replace("note = '''\nspare = 1\n'''\n", "#\n#\n#\n")
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(BadInputError) as error:
        read_toml(path, Car, hint="ask")
    assert error.value.what == what
    assert error.value.where == (f"{path}:{line}" if line else str(path))
    assert error.value.hint == hint


def test_all_mistakes_are_told_in_one_message_and_text_in_quotes_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "car.toml").write_text(TEXT.replace("size = 3", "size = -3"))
    with pytest.raises(BadInputError) as error:
        read_toml(tmp_path / "car.toml", Car, hint="ask")
    assert error.value.what == (
        "2 problems:\n"
        "  line 17: spare.size = -3: input should be greater than 0\n"
        "  line 3: note: unknown key (known: labels, seats, spare, wheel)"
    )
    assert (error.value.where, error.value.hint) == (str(tmp_path / "car.toml"), "ask")


def test_values_that_no_file_holds_are_named_by_where_they_were_given() -> None:
    with pytest.raises(BadInputError) as error:
        checked({"seats": 12}, Car, where="--seats")
    assert str(error.value) == "--seats: seats = 12: input should be less than or equal to 9"
