"""Fixtures of the boot tests. `make boot-test` builds what they need."""

import os

import pytest

import machine


@pytest.fixture(scope="session")
def linux():
    """The demo guest at its shell, booted once for all tests that only use it."""
    console = machine.Console(os.path.join(machine.BUILD, "pxhv.img"))
    try:
        console.wait_for_shell()
        yield console
    finally:
        console.close()


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
