"""Data that is loaded from files: the real data set, pools of codes, lists of members."""
