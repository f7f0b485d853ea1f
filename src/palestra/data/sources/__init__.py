"""Where datasets are exchanged: the Hugging Face hub and GitLab's model registry."""
