"""Fixtures, Hypothesis profiles and the header line shared by every test."""

from __future__ import annotations

import importlib
import os
import platform
import re
import signal

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# No deadline: the first call of a kernel compiles it.
for _profile, _examples in {"ci": 25, "nightly": 250}.items():
    settings.register_profile(
        _profile,
        max_examples=_examples,
        deadline=None,
        # A compiling first call also looks like slow data generation.
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_configure(config):
    """Take back an ignored Ctrl-C, which processes inherit from a shell in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    """Let an environment say what it holds, so that no test of it can be skipped unnoticed."""
    parser.addoption(
        "--installed",
        default="",
        metavar="PACKAGE,...",
        help="packages that are here: a test that is skipped for want of one fails",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Fail a test that is skipped for want of a package that is here."""
    return unless_installed((yield), item.config)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Fail a file that is skipped for want of a package that is here."""
    return unless_installed((yield), collector.config)


def unless_installed(report, config):
    """Turn a skip into a failure if its reason names a package of `--installed`."""
    packages = [name for name in config.getoption("--installed").split(",") if name]
    if report.skipped and packages and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2])
        if re.search(rf"\b({'|'.join(map(re.escape, packages))})\b", reason):
            report.outcome = "failed"
            report.longrepr = f"`--installed` names what this was skipped for. {reason}"
    return report


def opencv_version():
    """Give cv2's version, or the reason why there is none."""
    try:
        return importlib.import_module("cv2").__version__
    except ImportError as error:
        return f"none ({error})"


def pytest_report_header(config):
    """Name the versions whose bytes the tests compare."""
    return (
        f"oracles: opencv {opencv_version()}, numpy {np.__version__}, {platform.machine()}; "
        f"hypothesis profile {settings.get_current_profile_name()}"
    )


def pytest_collection_modifyitems(config, items):
    """Skip what this machine has no oracle for."""
    reasons = {}
    if opencv_version().startswith("none"):
        reasons["opencv"] = "cv2 is not installed"
    if not os.environ.get("CXR_REAL_IMAGES"):
        reasons["real_images"] = "CXR_REAL_IMAGES names no folder of radiographs"
    for item in items:
        for marker, reason in reasons.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def rng():
    """Give a generator with the same seed in every test."""
    return np.random.default_rng(20201120)
