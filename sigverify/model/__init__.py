"""From a prepared image to an embedding, and how the network that does it is trained.

Import what you need from its module (``sigverify.model.encoder``, ``.training`` ...): the package itself loads nothing.
"""
