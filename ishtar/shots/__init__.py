"""Shots and testbeds."""
