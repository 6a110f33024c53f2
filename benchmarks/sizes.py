"""How much is measured: in full, and in the short form that only proves that everything works."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Load:
    """A comparison of the contenders: seconds before the provider answers, and messages of each contender.

    Who is slow sends fewer, so that a round ends in minutes; what counts is the rate.
    """

    latency: float
    ours: int
    post_office: int
    naive: int


@dataclass(frozen=True)
class Sizes:
    rounds: int
    warm_up: int
    workers: int
    ceiling: int
    loads: tuple[Load, ...]
    single: int
    acceptance: tuple[int, ...]
    enqueueing: int
    # Statuses per payload, and how many statuses altogether.
    webhooks: tuple[tuple[int, int], ...]
    pages: tuple[int, ...]
    page_views: int
    old_rows: int
    # Before and after the deletion.
    quiet_sends: int
    memory: int
    memory_step: int
    is_short: bool = False


FULL = Sizes(
    rounds=3,
    warm_up=500,
    workers=2,
    ceiling=50_000,
    loads=(
        Load(0.1, ours=20_000, post_office=20_000, naive=300),
        Load(0, ours=10_000, post_office=6_000, naive=300),
        Load(0.3, ours=10_000, post_office=4_000, naive=100),
    ),
    single=3_000,
    acceptance=(20_000, 100_000),
    enqueueing=2_000,
    webhooks=((1, 600), (100, 9_000), (1_000, 30_000)),
    pages=(100_000, 1_000_000, 5_000_000),
    page_views=20,
    old_rows=1_000_000,
    quiet_sends=1_000,
    memory=100_000,
    memory_step=10_000,
)

SHORT = Sizes(
    rounds=1,
    warm_up=20,
    workers=1,
    ceiling=2_000,
    loads=(Load(0.1, ours=200, post_office=200, naive=10),),
    single=40,
    acceptance=(200,),
    enqueueing=40,
    webhooks=((1, 3), (100, 300)),
    pages=(400, 2_000),
    page_views=2,
    old_rows=2_000,
    quiet_sends=20,
    memory=200,
    memory_step=100,
    is_short=True,
)


def with_messages(sizes: Sizes, count: int) -> Sizes:
    """The same with so many messages of the two fast contenders at the first latency."""
    first = replace(sizes.loads[0], ours=count, post_office=count)
    return replace(sizes, loads=(first, *sizes.loads[1:]))
