    greeting: str = environ.var("Hello")
