from __future__ import annotations

from airflow_agari_provider.discrepancy.history_band import Volume, volume_bands


def volumes(*totals, clean=True, hour=None):
    return [
        Volume(f"2016-02-{1 + at:02} {at % 24 if hour is None else hour:02}:00:00", total, clean)
        for at, total in enumerate(totals)
    ]


def test_there_is_no_band_before_five_clean_runs():
    bands = volume_bands(volumes(100, 100, 100, 100, 100, 100))
    assert bands == [None] * 5 + [(80.0, 120.0)]
    assert volume_bands(volumes(*[100] * 6, clean=False)) == [None] * 6
    assert volume_bands(volumes(*[None] * 6)) == [None] * 6
    assert volume_bands([]) == []


def test_the_band_is_of_the_runs_before_and_never_of_the_run_itself():
    *_, last = volume_bands(volumes(100, 100, 100, 100, 100, 5000))
    assert last == (80.0, 120.0)


def test_the_band_is_as_wide_as_the_runs_vary_and_never_below_zero():
    *_, last = volume_bands(volumes(100, 200, 300, 400, 500, 0))
    assert (last.low, round(last.high)) == (80.0, 545)
    *_, nothing = volume_bands(volumes(0, 0, 0, 0, 0, 0))
    assert nothing == (0.0, 2.0)


def test_the_same_hour_of_other_days_teaches_once_there_are_five_of_it():
    night = [Volume(f"2016-02-{day:02} 03:00:00", 100, True) for day in range(1, 7)]
    noon = [Volume(f"2016-02-{day:02} 12:00:00", 10_000, True) for day in range(1, 7)]
    bands = volume_bands(sorted(night + noon))
    assert bands[-1] == (9800.0, 10_200.0)
    assert bands[-2] == (80.0, 120.0)


def test_a_shift_is_usual_after_a_day():
    totals = [*[100] * 30, *[10_000] * 25]
    assert volume_bands(volumes(*totals, hour=1))[30] == (80.0, 120.0)
    assert volume_bands(volumes(*totals, hour=1))[-1] == (9800.0, 10_200.0)
