"""How many classes a run answered is kept; records from before it was are as they were."""

import pytest
from example_plan import make_plan

from nextify.errors import InputError
from nextify.records import Record, Result
from nextify.records.record import record_from_dict
from nextify.records.rows import from_row, is_record, to_row


def record(answered: int | None) -> Record:
    plan = make_plan()
    run = plan.run(plan.cells[0], 0)
    result = Result(accuracy=0.5, nll=1.0, calibration_error=0.1, images=16, correct=b"\x0f\xf0",
                    answered=answered)  # fmt: skip
    return Record(key=run.key, run=run.as_dict(), outcome="finished", result=result)


@pytest.mark.parametrize("answered", [None, 1, 10])
def test_it_comes_back(answered):
    one = record(answered)
    row = to_row(one)
    assert ("answered" in row["result"]) == (answered is not None)
    assert is_record(row)
    assert from_row(row).result == one.result
    assert record_from_dict(one.as_dict()).result == one.result


def test_what_a_newer_version_says_of_a_result_is_left_out():
    row = to_row(record(2))
    row["result"] = row["result"].replace('"answered":2', '"answered":2,"of_a_newer_version":1')
    assert from_row(row).result == record(2).result


def test_no_class_at_all_is_refused():
    values = record(1).as_dict()
    values["result"]["answered"] = 0
    with pytest.raises(InputError, match="answered"):
        record_from_dict(values)
