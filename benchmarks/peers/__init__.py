"""Ours beside other registration programs on the same real pairs, judged by truths that no program sees."""
