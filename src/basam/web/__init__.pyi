from basam.web.exporting import WRITERS as WRITERS
from basam.web.serving import serve as serve
from basam.web.settings import WebSettings as WebSettings
