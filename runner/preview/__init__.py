"""Previews of a changed template: run on golden shots, compared with published reports.

::

    compare             results and inputs: changes, in sigmas
    figure_difference   pictures: paired, compared pixel by pixel
    code_difference     the code of two notebooks, line by line
    preview_result      a whole preview, and its verdict
    preview_page        the preview as a page that opens from disk
    preview_run         runs a preview and writes it to trials/NAME/ of the workspace

A preview changes neither official reports nor the catalogue nor the site.
"""

__all__ = ["preview_result", "preview_run"]
