"""Rooms for foreign things, one each: pictures, codes, places, files, the clock, the mail. None of them knows another
feature; they take plain values and give plain values, and their dependency is imported nowhere else.
"""
