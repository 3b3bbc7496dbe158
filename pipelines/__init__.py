"""The Kubeflow pipelines over `ml`, and the engines that run them."""

from fonderie.google.schemes import register

register()  # the steps of pipelines read and write at Google; each runs in a process of its own
