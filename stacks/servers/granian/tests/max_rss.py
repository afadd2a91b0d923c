    with run(memory=memory, envs=envs) as container:
        wait_until(container, "healthy")
        environment = execute(container, "cat", "/proc/1/environ").split("\0")
        assert f"GRANIAN_WORKERS_MAX_RSS={limit}" in environment
