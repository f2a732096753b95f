"""JSON of strangers: what is nested too deep is no JSON, and no end of the process."""

import pytest

from cxr_models._json import parse_json
from cxr_models.config import RunConfig
from cxr_models.evaluation.predictions import read_predictions
from cxr_models.records.splits import read_split
from cxr_models.report.read.results import read_audit

DEEP = "[" * 100_000


def test_json_that_is_nested_too_deep_is_no_json(tmp_path):
    with pytest.raises(ValueError, match="it is nested too deep"):
        parse_json(DEEP)
    with pytest.raises(ValueError, match="`text` must be JSON; got: it is nested too deep"):
        RunConfig.from_json(DEEP)
    (tmp_path / "audit.json").write_text(DEEP)
    with pytest.raises(ValueError, match=r"`audit\.json` must be JSON; .*nested too deep"):
        read_audit(tmp_path / "audit.json")
    (tmp_path / "split.csv").write_text(f"# cxr-models split {DEEP}\nfile,label,split\na,b,train\n")
    with pytest.raises(ValueError, match=r"`split\.csv` must begin with the line it was made with"):
        read_split(tmp_path / "split.csv")
    (tmp_path / "test.csv").write_text(f"# cxr-models predictions {DEEP}\n")
    with pytest.raises(ValueError, match=r"`test\.csv` must be a table of predictions"):
        read_predictions(tmp_path / "test.csv")
