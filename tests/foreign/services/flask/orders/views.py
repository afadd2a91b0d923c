import os, uuid

import arrow
from flask import Blueprint, current_app, jsonify, request, url_for

from .models import File, db

bp = Blueprint("orders", __name__)


@bp.route("/orders/<int:number>")
def order(number):
    due = arrow.get(0).shift(days=number)
    return jsonify(number=number, due=due.isoformat())


@bp.route("/files", methods=["POST"])
def upload():
    data = request.files["file"]
    name = uuid.uuid4().hex
    os.makedirs(current_app.config["UPLOADS"], exist_ok=True)
    data.save(os.path.join(current_app.config["UPLOADS"], name))
    file = File(name=name)
    db.session.add(file)
    db.session.commit()
    return jsonify(id=file.id, url=url_for("orders.show", id=file.id))


@bp.route("/files/<int:id>")
def show(id):
    file = db.get_or_404(File, id)
    size = os.path.getsize(os.path.join(current_app.config["UPLOADS"], file.name))
    return jsonify(id=file.id, size=size, lines=file.lines)
