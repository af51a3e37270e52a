"""Fixtures of the boot tests. `make boot-test` builds what they need."""

import os
import time

import pytest

import machine
import platforms


def by_ident(platform):
    return platform.ident


@pytest.fixture(scope="session", params=platforms.BOTH_VENDORS, ids=by_ident)
def linux(request):
    """The demo guest at its shell, booted once on each platform for all tests that only use it; it
    has a COM2."""
    image = os.path.join(machine.BUILD, "pxhv.img")
    started = time.time()
    console = machine.Console(request.param, request.param.start(image, gdb=True))
    console.started = started
    try:
        console.wait_for_shell()
        yield console
    finally:
        console.close()


@pytest.fixture(params=platforms.BOTH_VENDORS, ids=by_ident)
def platform(request):
    """Both vendors' CPUs in turn."""
    return request.param


@pytest.fixture
def console():
    """A function that starts a machine to talk to; it is gone when the test is over."""
    opened = []

    def start(platform, image, timeout=600, **options):
        opened.append(machine.Console(platform, platform.start(image, **options), timeout))
        return opened[-1]
    yield start
    for one in opened:
        one.close()


@pytest.fixture
def image(tmp_path):
    """A function that builds an image of this test's own."""
    def make(edit=None, **variables):
        return machine.make_image(str(tmp_path / "own.img"), edit, **variables)
    return make


@pytest.fixture
def tiny():
    """A function that gives the path of a tiny guest."""
    return lambda name: os.path.join(machine.BUILD, "tiny", f"{name}.bin")


@pytest.fixture
def stick(image, tiny):
    """An image with a tiny guest that ends by itself: see machine.passes()."""
    return image(KERNEL=tiny("cpuid"))


def pytest_configure(config):
    config.addinivalue_line("markers", "full: a boot of the whole matrix: `make test-full`")


def is_left_out(item):
    """HALF=vtx takes what runs on the platform of that name, HALF=rest all else: two emulators at a
    time, and each platform's Linux is booted once."""
    half = os.environ.get("HALF")
    if item.get_closest_marker("full") and not os.environ.get("FULL"):
        return True
    return half is not None and ("vtx" in item.nodeid) != (half == "vtx")


def pytest_collection_modifyitems(config, items):
    """`make test` leaves out what is marked as full."""
    left_out = [item for item in items if is_left_out(item)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
