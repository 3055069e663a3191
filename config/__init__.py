"""What can be set: the settings model, the plain groups it hands down, and the YAML a deployment edits."""
