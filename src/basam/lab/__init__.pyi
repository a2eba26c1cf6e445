from basam.lab.worker_processes import end_with_parent as end_with_parent
