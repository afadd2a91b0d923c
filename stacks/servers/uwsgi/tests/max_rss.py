    with run("--show-config", memory=memory, envs=envs) as container:
        wait_until(container, "healthy")
        assert f"reload-on-rss = {limit}" in str(docker.logs(container))
