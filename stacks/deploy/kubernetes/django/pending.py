def pending(connection: Connection) -> list[str]:
    """Return the migrations of this release that aren't applied."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [str(migration) for migration, _ in plan]
