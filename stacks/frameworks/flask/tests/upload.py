from io import BytesIO

from flask import Flask, request

app = Flask("uploads")


@app.post("/")
def size():
    return str(len(request.files["file"].read()))


form = {"file": (BytesIO(bytes(int(sys.argv[1]))), "file")}
print(app.test_client().post("/", data=form).text)
