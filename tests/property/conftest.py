from hypothesis import settings

# No deadline: a busy machine is no failure.
settings.register_profile("killick", deadline=None)
settings.load_profile("killick")
