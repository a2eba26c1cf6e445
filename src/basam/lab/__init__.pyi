from basam.lab.rendering import latex as latex
from basam.lab.rendering import markdown as markdown
from basam.lab.worker_processes import end_with_parent as end_with_parent
