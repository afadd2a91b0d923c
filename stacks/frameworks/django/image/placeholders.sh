# Placeholder: Django requires it even for collectstatic.
export SECRET_KEY=unused
