"""The contract's assertions say what they found, as those of test modules do."""

import pytest

pytest.register_assert_rewrite("tests.helpers.adapter_contract")
