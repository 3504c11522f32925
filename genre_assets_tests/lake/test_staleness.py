import pyarrow as pa

from genre_assets.lake.staleness import Need, first_that_holds, needs_work


def holds(*values):
    return pa.chunked_array([pa.array(values, pa.bool_())])


def test_the_first_case_that_holds_is_the_need_and_null_holds_nothing():
    needs = first_that_holds(
        (Need.NOTHING, holds(True, None, False, None)),
        (Need.CHANGED, holds(True, True, False, None)),
        otherwise=Need.NEW,
    )
    assert needs.to_pylist() == ["nothing", "changed", "new", "new"]


def test_no_rows_need_nothing():
    needs = first_that_holds((Need.NOTHING, holds()), otherwise=Need.NEW)
    assert len(needs) == len(needs_work(needs)) == 0


def test_only_work_is_due():
    needs = pa.chunked_array([[str(need) for need in Need]])
    idle = [need for need, due in zip(Need, needs_work(needs).to_pylist(), strict=True) if not due]
    assert idle == [Need.NOTHING, Need.NO_FILE]
