"""Tools of the build, not of the product."""
