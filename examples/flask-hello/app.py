"""A page that says hello, and which version of it this is."""

import os
from pathlib import Path

from flask import Flask, render_template_string

app = Flask(__name__)
VERSION = Path(__file__).with_name("VERSION").read_text().strip()
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Hello</title>
<style>body { font: 1.25rem/1.6 sans-serif; margin: 20vh auto; max-width: 30rem }</style>
<h1>Hello from a tool</h1>
<p>Version {{ version }}, answered by process {{ pid }}.</p>
</html>
"""


@app.get("/")
def hello() -> str:
    return render_template_string(PAGE, version=VERSION, pid=os.getpid())


@app.get("/healthz")
def healthz() -> str:
    return "ok"
