"""One chain of machines for all tests, and what they said in the report of a failure."""

import os

import chain as machines
import pytest


@pytest.fixture(scope="session")
def chain():
    pc = machines.Chain(os.path.join(machines.BUILD, "pxhv.img"),
                        os.path.join(machines.BUILD, "nested", "initrd.img"))
    try:
        yield pc
    finally:
        pc.close()


@pytest.fixture
def kvm_host(chain):
    return chain.kvm_host


@pytest.fixture
def guest(chain):
    return chain.guest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Names the platform, and shows both serial lines and the KVM host's log."""
    report = (yield).get_result()
    if report.failed and "chain" in item.funcargs:
        report.sections.append((machines.PLATFORM, item.funcargs["chain"].report()))
