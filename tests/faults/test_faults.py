"""Nothing lost, nothing sent twice, while real processes are killed. The long form is `make faults`."""

from collections.abc import Iterator

import pytest

from tests.faults import measure
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.faults.system import System, running_system

# Eight one by one, the others together: one worker is struck on each way.
MESSAGES = 32
# Most of the time is waiting, so two systems side by side take half as long.
GROUPS = 2
PARAMETERS = [
    pytest.param(scenario, id=scenario.code, marks=pytest.mark.xdist_group(f"faults{number % GROUPS}"))
    for number, scenario in enumerate(SCENARIOS)
]


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with running_system() as system:
        yield system


@pytest.mark.parametrize("scenario", PARAMETERS)
def test_nothing_is_lost_and_nothing_is_sent_twice(system: System, scenario: Scenario):
    results = measure.run(system, scenario, MESSAGES)

    assert sum(result.owed for result in results) == MESSAGES
    for result in results:
        assert result.on_their_way == 0
        assert result.lost == 0
        assert result.misjudged == 0
        assert result.doubled_asking == 0
        assert result.doubled == 0 or scenario.may_double
    struck = [result.faults > 0 for result in results if result.way in scenario.ways]
    # A step is ordered for each way; everything else strikes whom it meets.
    assert all(struck) if scenario.step else any(struck) or not scenario.strikes
