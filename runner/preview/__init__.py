"""Previews of a changed template: run on golden shots, next to what is published.

::

    compare             results and inputs: what changed, by how many sigmas
    figure_difference   pictures: paired, compared pixel by pixel
    code_difference     the code of two notebooks, line by line
    preview_result      a whole preview, and its verdict
    preview_page        the preview as a page that opens from disk
    preview_run         runs a preview and puts it into trials/NAME/ of the workspace

A preview touches neither official reports nor the catalogue's reports nor the site.
"""
