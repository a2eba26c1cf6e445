"""Training the embedded SAM from generated scenes and photographs: `python -m studies.pretrain`."""
