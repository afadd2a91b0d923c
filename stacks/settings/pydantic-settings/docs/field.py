    greeting: str = "Hello"
