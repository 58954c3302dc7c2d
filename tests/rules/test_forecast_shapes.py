"""Forecasts on series of known shapes (`record_shapes` says how they were made). Written before any of them was tried.

Tried at 12, 24 and 48 hours before a group was full, for every group that ran full after the first four days: "full in
about n h" is off by |said - true| / true.

Asked:
- of every series that the forecast speaks about, half of what it says is within a fifth (median error <= 20 %);
- of all single forecasts in all shapes together, three of four are within a fifth. More cannot be had: fifty people who
  are yet to come are a Poisson draw of 14 %, and the days differ by 10 % besides;
- it may decline ("uncertain") in the shapes below and no others, and it has to say so in words.

It may decline:
- `burst`, while the post's wave runs: nobody knows how long a wave lasts, and before it nobody knows that it comes.
  What it said before the wave about a time after its beginning cannot be right, and is left out here;
- `change`, in the first day after it;
- `sparse`: where too few people come to tell a rate from chance.
"""
