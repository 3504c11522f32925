"""A local replica of the Free Music Archive's site, with its habits and its misbehaviours."""
