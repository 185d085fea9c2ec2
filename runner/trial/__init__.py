"""Trying a changed template: run on golden shots, laid beside what is published.

::

    compare     results and inputs: what changed, by how many sigmas
    figures     pictures: paired, compared pixel by pixel
    code        the code of two notebooks, line by line
    result      a whole trial, and its verdict
    page        the trial as a page that opens from disk
    run         runs a trial and puts it into trials/NAME/ of the workspace

A trial touches neither official reports nor the catalogue's reports nor the site.
"""
