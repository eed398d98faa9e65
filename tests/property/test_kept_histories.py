"""Histories in which a counter was wrong once, as `test_exactness` has found and printed them."""

from tests.property.test_exactness import CountingTraffic


def test_what_a_machine_sent_between_its_start_and_the_listing_that_showed_it_is_not_forgotten() -> None:
    state = CountingTraffic()
    state.begin(seed=0, idle_share=0.0, lags=(0.0,), halves=(0,), corrected_after=0.0, unfilled=None)
    state.be_away(widths=3.0)
    state.be_stopped_and_started(looks=0, seen_after=0.1, widths=27)
    state.be_away(widths=50.0)
    state.teardown()


def test_a_zero_that_is_filled_later_does_not_say_that_buckets_are_wider_now() -> None:
    state = CountingTraffic()
    state.begin(seed=0, idle_share=0.0, lags=(0.0,), halves=(0,), corrected_after=1.6, unfilled=None)
    state.be_stopped_and_started(looks=3, seen_after=0.9, widths=26)
    state.look_back()
    state.teardown()


def test_a_timestamp_does_not_stand_inside_a_longer_bucket_that_was_shared_out_by_time() -> None:
    state = CountingTraffic()
    state.begin(seed=0, idle_share=0.0, lags=(0.4,), halves=(0,), corrected_after=0.6, unfilled=None)
    state.be_stopped_and_started(looks=0, seen_after=0.1, widths=10)
    state.be_killed(after=1.9, committed=True)
    state.be_stopped_and_started(looks=0, seen_after=0.9, widths=11)
    state.teardown()


def test_the_few_buckets_that_are_left_of_a_machine_that_stopped_do_not_make_others_settled() -> None:
    state = CountingTraffic()
    state.begin(seed=0, idle_share=0.0, lags=(1.4,), halves=(1,), corrected_after=0.1, unfilled=None)
    state.be_killed(after=1.9, committed=True)
    state.be_stopped_and_started(looks=1, seen_after=0.1, widths=11)
    state.teardown()
