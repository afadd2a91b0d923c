import os

from flask import Flask
from flask_migrate import Migrate

from .models import db

migrate = Migrate()


def create_app():
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get('DATABASE_URL', 'sqlite:///orders.sqlite3')
    app.config["UPLOADS"] = os.environ.get("UPLOADS", "uploads")
    db.init_app(app)
    migrate.init_app(app, db)
    from . import views
    app.register_blueprint(views.bp)
    return app
