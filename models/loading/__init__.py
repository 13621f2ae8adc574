"""Loads data from files: the Complete Journey data set, pools of codes, audience lists."""
