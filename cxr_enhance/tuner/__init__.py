"""Choosing parameters by eye: a page that shows an image before and after, while they change.

`session` answers what a page asks for, without knowing what a page is; `page` and `server` are
Panel's part, and nothing else imports Panel.
"""
