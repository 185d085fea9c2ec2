"""An executed notebook becomes the body of a page; all of it is untrusted."""
