python -IBm django collectstatic --no-input
