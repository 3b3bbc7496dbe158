"""The Kubeflow pipelines over `ml`, and the engines that run them."""
