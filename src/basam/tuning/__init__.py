"""Training: the loop that everything shares, fine-tuning of a pretrained SAM, and pretraining of the embedded one."""
