"""A service that was changed by its documented recipes builds and passes its container tests."""

from uuid import uuid4

import pytest
from building import BuildError, build, run_container_tests, scaffold_with_bases
from offered import marked
from recipes import follow, recipes_of
from support import Service, edit

# Recipes that affect the image.
RECIPES = ("Add a setting without a default", "Add a dependency that needs system packages", "Add a readiness check")
# Read when the application is imported, as many services do.
AT_IMPORT = {
    "flask": "\n\nsettings = environ.to_config(Config)\n",
    "fastapi": "\n\nsettings = Config.from_environment()\n",
}
LITERAL = "a \"b\" '$HOME' `c` \\\\ #d =e "


@pytest.mark.parametrize("framework", marked(["flask", "django", "fastapi"], ["fastapi"]))
def test_changed_service_passes_the_tests_of_its_image(framework, scaffold):
    made = scaffold_with_bases(scaffold, framework=framework)
    folder = made.folder
    recipes = recipes_of(made)
    for recipe in RECIPES:
        follow(recipes[recipe], made)
    # Only the image has the libraries that psycopg-c needs.
    made.run("uv sync --locked --no-install-package psycopg-c")
    service = Service(folder, {**made.env, "UV_NO_SYNC": "1"})
    if framework in AT_IMPORT:
        read = AT_IMPORT[framework]
        edit(folder / "src/my_service/app.py", (r"\n\n\n(?=(async )?def |@|class |router)", read + "\n\n"))

    assert " passed" in service.run("uv run --locked pytest")

    example = (folder / "example.env").read_text()
    edit(folder / "example.env", (r"API_TOKEN=.*", ""))
    with pytest.raises(BuildError, match=r"(?i)api_token"):
        build(folder, f"changed-{framework}")
    (folder / "example.env").write_text(example)

    image = build(folder, f"changed-{framework}")
    assert "API_TOKEN" not in image.run("env")
    assert image.run("python", "-c", "import psycopg; print(psycopg.pq.__impl__)") == "c\n"
    run_container_tests(service, image)

    # Another dependency doesn't compile it again: what was built from source stays in uv's cache.
    made.run("uv add --no-sync anyascii")
    # While BuildKit determines the size of a cache, as after another build, it gives a new, empty one to a build (mount.go,
    # manager.go): then the next build doesn't compile.
    for _ in range(3):
        edit(folder / "Dockerfile", ("\nuv sync", f"\n: {uuid4()}\nuv sync"))  # else the engine may have this step, too
        log = build(folder, f"changed-{framework}").log
        assert " + psycopg-c==" in log
        if "Building psycopg-c" not in log:
            return
    pytest.fail(log)


LARGE = ["numpy", "pandas", "pyarrow", "scipy"]
COMPUTE = """
import io, pandas, pyarrow.parquet, scipy.stats
table = pandas.DataFrame({"x": [1.0, 2.0, 4.0]})
table.to_parquet(file := io.BytesIO())
print(scipy.stats.gmean(pandas.read_parquet(file)["x"]))
"""


@pytest.mark.slow
def test_image_with_large_libraries_is_smaller_without_their_tests(scaffold):
    made = scaffold_with_bases(scaffold)
    made.run(f"uv add --no-sync {' '.join(LARGE)}")
    whole = sum(build(made.folder, "large:whole").layer_sizes())

    follow(recipes_of(made)["Leave out the tests of large libraries"], made)

    image = build(made.folder, "large:without-tests")
    assert sum(image.layer_sizes()) < whole - 80e6
    assert image.run("python", "-c", COMPUTE) == "2.0\n"


def test_values_are_read_literally_and_leave_no_trace(copy, service):
    # Build it now, because the cache of an earlier build may have been pruned.
    plain = build(service.folder, "my-service:plain")
    edit(copy.folder / "example.env", (r"\Z", f"\n# A comment=1\nLITERAL={LITERAL}".replace("\\", "\\\\")))
    check = f"import os\n\nassert os.environ.get('LITERAL', {LITERAL!r}) == {LITERAL!r}, os.environ['LITERAL']\nimport environ"
    edit(copy.folder / "src/my_service/app.py", (r"import environ", check.replace("\\", "\\\\")))

    literal = build(copy.folder, "my-service:literal")

    assert "LITERAL" not in literal.run("env")
    assert literal.layers[:-1] == plain.layers[:-1]
    assert "$HOME" not in literal.log


@pytest.mark.parametrize("line", ["API_TOKEN", "export API_TOKEN=1", "API-TOKEN=1", "=1"])
def test_malformed_example_is_named(line, copy):
    edit(copy.folder / "example.env", (r"\Z", f"{line}\n"))

    with pytest.raises(BuildError, match=r"example\.env: give each of these lines the form NAME=value") as error:
        build(copy.folder, "my-service:malformed")

    assert line in str(error.value)


def test_service_without_example_still_builds(copy):
    (copy.folder / "example.env").unlink()
    (copy.folder / "tests/container.toml").unlink()

    run_container_tests(copy, build(copy.folder, "my-service:no-example"), "-k ready")


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("example.env", "API_TOKEN\n", 'is "API_TOKEN": write NAME=value'),
        ("tests/container.toml", "memory = 512m\n", "correct its TOML"),
        ("tests/container.toml", 'ready = "no"\n', 'ready is "no": give it true or false'),
        ("tests/container.toml", 'memorry = "512m"\n', "memorry is unknown"),
        ("tests/container.toml", "[run]\nmemmory = 1\n", "memmory is no option of docker.run"),
    ],
)
def test_malformed_files_of_the_tests_are_named(file, text, reason, copy, image):
    (copy.folder / file).write_text(text)

    with pytest.raises(AssertionError) as error:
        run_container_tests(copy, image, "-k ready")

    assert file in str(error.value)
    assert reason in str(error.value)
