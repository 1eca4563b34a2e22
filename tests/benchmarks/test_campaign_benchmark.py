"""The campaign benchmark runs on small pools."""

from __future__ import annotations

import json


def test_it_prints_a_time_for_every_size_and_says_whether_the_peer_is_there(benchmark):
    done = benchmark("campaign", "--rows", "400", "4000", "--repeats", "1", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {"seconds_400", "seconds_4000", "botorch_nehvi_over_hstore_400", "peak_rss_mib"} <= set(found)
    assert found["seconds_4000"] > 0
    assert found["forest_times_faster_than_scikit_learn"] > 0
