"""A Flask service whose front end was built by Node.js."""

from flask import Flask

app = Flask(__name__, static_folder="built", static_url_path="/")


@app.get("/")
def index() -> object:
    return app.send_static_file("index.html")
