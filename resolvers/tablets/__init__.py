"""Tablets: enrolment, sessions of shoppers, and limits on guessing."""
